"""The arena of the attacks: one daemon for all of them, and daemons without one of their safeguards, as asked for."""

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from attacks.programs import kernel
from support import attackimage, sabotage
from support.api import Api
from support.attacks import SECRET, Arena, Outside
from support.sampand import Sampand

SESSION_KEYRING, USER_KEYRING = -3, -4  # keyctl(2)
KEYCTL_SETPERM, KEYCTL_LINK, KEYCTL_UNLINK = 5, 8, 9
FOR_USER_AND_POSSESSOR = 0x3F3F0000
KERNEL_FILE, UNTOUCHED = "/proc/timer_list", "untouched"
IMAGE = f"smpx-attackers:{os.getpid()}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every attack needs what containers need."""
    here = os.path.dirname(__file__)
    for item in items:
        if str(item.path).startswith(here):
            for need in ("needs_root", "needs_overlay", "needs_busybox"):
                item.add_marker(need)


@pytest.fixture(scope="package")
def arena(request: pytest.FixtureRequest) -> Iterator[Arena]:
    """The engine under attack, with the attackers' image."""
    if url := request.config.getoption("--engine"):
        own = Arena(Api(url.removeprefix("unix://")), IMAGE)
        with own.imported(IMAGE, attackimage.attackers()):
            yield own
        return
    with _daemon() as own:
        yield own


@pytest.fixture(scope="module")
def sabotaged(request: pytest.FixtureRequest) -> Iterator[Callable[..., Arena]]:
    """A daemon that lacks safeguards (names of `support.sabotage`): `sabotaged("dumpable")`."""
    if request.config.getoption("--engine"):
        pytest.skip("another engine is under test")
    with ExitStack() as stack:

        @functools.cache
        def lacking(*names: str) -> Arena:
            return stack.enter_context(_daemon(*names))

        yield lacking


@pytest.fixture
def outside() -> Iterator[Outside]:
    """A folder of the host, with a secret."""
    found = Outside()
    yield found
    found.destroy()


class Sabotaged(Sampand):
    """A daemon that lacks safeguards."""

    def __init__(self, *lacking: str) -> None:
        super().__init__()
        self.lacking = lacking

    def command(self) -> list[str]:
        """The product's code, as `support.sabotage` leaves it."""
        return [sys.executable, sabotage.__file__, ",".join(self.lacking)]


@pytest.fixture
def false_dev(outside: Outside) -> str:
    """A /dev of the attacker's, in which null is a link to a kernel file, and console one to a file of the volume."""
    folder = outside.make("dev")
    os.symlink(KERNEL_FILE, f"{folder}/null")
    os.symlink("/dev/victim", f"{folder}/console")
    for name in ("victim", "plain"):
        with open(f"{folder}/{name}", "w") as file:
            file.write(UNTOUCHED)
    os.mknod(f"{folder}/node", 0o20666, os.makedev(1, 3))
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"{folder}/{name}")
    return folder


@pytest.fixture
def host_key() -> Iterator[str]:
    """A key of the host's root, in the session keyring that daemons inherit and in the user's; its description."""
    description = f"smpx-{os.getpid()}"
    # Only who possesses a key may change it, and the session's keyring possesses; the user's need not.
    key = kernel.call("add_key", "user", description, SECRET, len(SECRET), SESSION_KEYRING)
    kernel.call("keyctl", KEYCTL_SETPERM, key, FOR_USER_AND_POSSESSOR)
    kernel.call("keyctl", KEYCTL_LINK, key, USER_KEYRING)
    yield description
    for ring in (USER_KEYRING, SESSION_KEYRING):
        kernel.call("keyctl", KEYCTL_UNLINK, key, ring)


@contextmanager
def _daemon(*lacking: str) -> Iterator[Arena]:
    sampand = Sabotaged(*lacking) if lacking else Sampand()
    try:
        sampand.start()
        found = Arena(sampand.api, IMAGE, sampand)
        found.import_image(IMAGE, attackimage.attackers())
        yield found
    finally:
        sampand.destroy()
