"""Code of the container's root, loaded by us: CVE-2019-14271."""

import gzip
import os
from collections.abc import Iterator

import pytest

from support import evilimage, naive
from support.attacks import Arena

IMAGE = f"smpx-evil:{os.getpid()}"
LOOK = ["sh", "-c", f"test -e /{evilimage.PROOF} && echo loaded; true"]


@pytest.fixture(scope="module")
def image(arena: Arena) -> Iterator[str]:
    """The image, compressed so that a decompressor is at work while it is unpacked."""
    with arena.imported(IMAGE, gzip.compress(evilimage.evil(), 1)) as name:
        yield name


def test_nothing_is_loaded_while_an_image_is_unpacked(arena: Arena, image: str) -> None:
    """CVE-2019-14271: a helper that has changed its root to that of a container, to copy or unpack there, loads a
    name service or a codec from it, and runs the container's code with the privileges of the engine. The image has
    false ones of everything, and names, owners and headers that would call for them."""
    assert arena.printed(*LOOK, image=image) == ""


@pytest.mark.parametrize("user", ["", "app", "app:extra", "nobody", "4321"])
def test_nothing_is_loaded_while_a_process_is_made(arena: Arena, image: str, user: str) -> None:
    """The same with a container's first process and with an exec: users and groups are looked up, directories made,
    names decoded in the container's root."""
    fields = {"User": user, "WorkingDir": "/tmp/né/日本", "Tty": True, "Env": ["NAME=é"], "Hostname": "host-name"}
    host = {"GroupAdd": ["extra"], "Ulimits": [{"Name": "nofile", "Soft": 64, "Hard": 64}]}
    host["Init"] = arena.sampand is not None  # another engine may lack its own
    assert arena.printed(*LOOK, image=image, host=host, **fields) == ""
    with arena.container("sleep", "60", image=image, host=host, User="root") as made:
        fields = {"User": user, "Tty": False, "Env": ["NAME=é"]}
        assert arena.api.exec(made, "true", **fields) == (0, b"")
        assert arena.api.exec(made, "sh", "-c", "no-such-program; true", **fields)[0] == 0
        assert arena.api.exec(made, *LOOK) == (0, b"")


def test_nothing_is_loaded_while_a_volume_is_filled(arena: Arena, image: str) -> None:
    """The same with the copy of the image's content into a new volume."""
    host = {"Binds": []}
    assert arena.printed(*LOOK, image=image, host=host, Volumes={"/odd": {}, "/usr/lib": {}, "/etc": {}}) == ""


@pytest.mark.parametrize("action", ["import pwd; pwd.getpwnam('x')", "import tarfile", "'x'.encode('idna')"])
def test_a_naive_helper_loads_it(action: str) -> None:
    """The same image, and a helper that changes its root and goes on as if nothing had happened."""
    with naive.extracted(evilimage.evil()) as root:
        naive.run_in(root, action)
        assert os.path.exists(f"{root}/{evilimage.PROOF}")
