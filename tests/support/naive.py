"""Naive ways to do what a runtime does, so that the attacks on those ways can be seen to succeed.

Each is what an engine once did: paths are joined as text, checked, and used a moment later. What mounts runs in a
forked child with a mount namespace of its own, so nothing stays behind; True means that the attack got what it wanted.
"""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from tempfile import TemporaryDirectory

from attacks.programs import kernel
from support import attackimage, children

PAUSE_S = 0.001  # between check and use
PATIENCE_S = 15.0  # children have an alarm at 20
LOST, WON = 0, 42


def sooner_or_later(action: Callable[[], bool]) -> bool:
    """Try again and again, as long as a race may take to be won."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if action():
            return True
    return False


@contextlib.contextmanager
def extracted(content: bytes = b"") -> Iterator[str]:
    """An image, by default the attackers', as a folder of the host."""
    with TemporaryDirectory(prefix="smpx-root-", dir="/tmp") as folder:
        with tarfile.open(fileobj=io.BytesIO(content or attackimage.attackers())) as tar:
            tar.extraction_filter = lambda member, path: member  # as before Python 3.12; older ones ignore it
            tar.extractall(folder)
        yield folder


def attack_in_chroot(program: str, **arguments: object) -> str:
    """What an attack prints that is held by chroot(2) instead of pivot_root(2)."""
    with extracted() as root:
        return subprocess.check_output(["chroot", root, *attackimage.command(program, **arguments)], text=True)


def run_in(root: str, action: str) -> None:
    """Change the root in an interpreter, and go on there."""
    text = f"import os, sys; os.chroot(sys.argv[1]); {action}"
    argv = [attackimage.interpreter(), "-I", "-S", "-c", text, root]
    subprocess.run(argv, capture_output=True, check=False, timeout=20)


def in_mount_namespace(action: Callable[[], object]) -> bool:
    """Whether `action` was true, in a child with private mounts."""

    def enter() -> None:
        kernel.call("unshare", kernel.CLONE_NEWNS)
        kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
        if action():
            sys.stdout.flush()
            os._exit(WON)

    return children.code_of(enter) == WON


def bind(root: str, source: str, target: str, *, escaped: Callable[[], bool]) -> bool:
    """Bind `source` on `root` + `target`, which is looked at first, until `escaped` (CVE-2021-30465)."""

    return in_mount_namespace(lambda: sooner_or_later(lambda: _bind_once(root, source, target, escaped)))


def _bind_once(root: str, source: str, target: str, escaped: Callable[[], bool]) -> bool:
    path = f"{root}{target}"
    try:
        if not os.path.realpath(path).startswith(f"{root}/"):
            return False
        time.sleep(PAUSE_S)
        kernel.mount(source, path, "", kernel.MS_BIND)
    except OSError:
        return False  # it fell between two exchanges
    return escaped()


def protect_proc(root: str, candidates: list[str]) -> bool:
    """Mount /proc below `root`, then make its settings read-only, by the names in the image (CVE-2023-27561)."""

    def once() -> bool:
        kernel.mount("proc", f"{root}/proc", "proc")
        time.sleep(PAUSE_S)
        try:
            settings = f"{root}/proc/sys"
            kernel.mount(settings, settings, "", kernel.MS_BIND)
            kernel.mount("none", settings, "", kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY)
        except OSError:
            return False  # it fell between two exchanges
        return any(_is_writable(f"{folder}/sys/kernel/core_pattern") for folder in candidates)

    return sooner_or_later(lambda: in_mount_namespace(once))


def _is_writable(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_WRONLY))
    except OSError:
        return False
    return os.path.exists(f"{os.path.dirname(path)}/ostype")


def mask(root: str, path: str) -> bool:
    """Mount what the image has as /dev/null over `path` of a new /proc; whether that can still be read."""

    def once() -> bool:
        kernel.mount("proc", f"{root}/proc", "proc")
        null = os.readlink(f"{root}/dev/null")  # resolved in the root, as it would be after pivot_root(2)
        kernel.mount(f"{root}{null}", f"{root}{path}", "", kernel.MS_BIND)
        return bool(kernel.read_some(f"{root}{path}"))

    return in_mount_namespace(once)


def mount_console(root: str, at: str) -> bool:
    """Mount a terminal on the image's /dev/console by its name; whether it ended up at `at`."""

    def once() -> bool:
        _, slave_fd = os.openpty()
        target = os.path.realpath(f"{root}/dev/console")
        kernel.mount(os.ttyname(slave_fd), target, "", kernel.MS_BIND)
        return os.stat(at).st_rdev == os.fstat(slave_fd).st_rdev

    return in_mount_namespace(once)


def copy(root: str, source: str, target: str) -> None:
    """Copy a directory of the image into a volume, as it is named (CVE-2018-15664)."""
    path = f"{root}{source}"
    if os.path.realpath(os.path.dirname(path)).startswith(root):
        time.sleep(PAUSE_S)
        shutil.copytree(path, target, dirs_exist_ok=True)


def unpack(content: bytes, folder: str) -> None:
    """Extract an archive as it says."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        tar.extraction_filter = lambda member, path: member
        for member in tar:
            with contextlib.suppress(OSError, KeyError):
                tar.extract(member, folder)
