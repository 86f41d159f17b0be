"""Naive ways to do what a runtime does, so that the attacks on those ways can be seen to succeed.

Each is what an engine once did, in a forked child with a mount namespace of its own, so nothing stays behind.
"""

import contextlib
import io
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from tempfile import TemporaryDirectory

from attacks.programs import kernel
from support import attackimage, children


@contextlib.contextmanager
def extracted() -> Iterator[str]:
    """The attackers' image as a folder of the host."""
    with TemporaryDirectory(prefix="smpx-root-", dir="/tmp") as folder:
        with tarfile.open(fileobj=io.BytesIO(attackimage.attackers())) as tar:
            tar.extraction_filter = lambda member, path: member  # as before Python 3.12; older ones ignore it
            tar.extractall(folder)
        yield folder


def attack_in_chroot(program: str, **arguments: object) -> str:
    """What an attack prints that is held by chroot(2) instead of pivot_root(2)."""
    with extracted() as root:
        return subprocess.check_output(["chroot", root, *attackimage.command(program, **arguments)], text=True)


def in_mount_namespace(action: Callable[[], object]) -> int:
    """Run `action` in a child with private mounts; its exit code, 0 if it returned."""

    def enter() -> None:
        kernel.call("unshare", kernel.CLONE_NEWNS)
        kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
        action()

    return children.code_of(enter)
