"""What a test needs of the machine, probed once.

Marks        `needs_root`, `needs_overlay`, ...: the keys of PROBES. A probe returns "" or the reason why not.
Promises     SAMPAN_REQUIRE=needs_root,needs_overlay makes a missing need of these a failure instead of a skip. With
             CI=true and no SAMPAN_REQUIRE, PROMISED_IN_CI holds: a CI machine that lost root must not look green.
"""

import ctypes
import functools
import os
import shutil
from collections.abc import Callable

from support import subids

CAP_SYS_ADMIN = 21
PROMISED_IN_CI = ("needs_root", "needs_overlay", "needs_cgroups", "needs_busybox")


def _root() -> str:
    if os.geteuid() != 0:
        return "not root"
    with open("/proc/self/status") as status:
        effective = next(int(line.split()[1], 16) for line in status if line.startswith("CapEff"))
    return "" if effective >> CAP_SYS_ADMIN & 1 else "no CAP_SYS_ADMIN"


def _overlay() -> str:
    with open("/proc/filesystems") as known:
        return "" if any(line.split()[-1] == "overlay" for line in known) else "the kernel has no overlayfs"


def _cgroup2() -> str:
    return "" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "controllers are not on cgroup v2"


def _cgroups() -> str:
    if _root():
        return _root()
    if not _cgroup2() or os.path.exists("/sys/fs/cgroup/pids/cgroup.procs"):
        return ""
    return "no cgroup hierarchy is mounted"


def _busybox() -> str:
    path = shutil.which("busybox")
    if path is None:
        return "no busybox"
    with open(path, "rb") as program:
        return "busybox is not static" if b"/ld-linux" in program.read(4096) else ""


def _docker_cli() -> str:
    return "" if shutil.which("docker") else "no docker command line"


def _libseccomp() -> str:
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return "no libseccomp"
    return ""


def _subids() -> str:
    major, minor = os.uname().release.split(".")[:2]
    if (int(major), int(minor)) < (5, 19):
        return "overlayfs takes no idmapped layers before Linux 5.19"
    return "" if subids.first() else "no user with subordinate ids (/etc/subuid, /etc/subgid)"


PROBES: dict[str, Callable[[], str]] = {
    "needs_root": _root,
    "needs_overlay": _overlay,
    "needs_cgroups": _cgroups,
    "needs_cgroup2": _cgroup2,
    "needs_busybox": _busybox,
    "needs_docker_cli": _docker_cli,
    "needs_libseccomp": _libseccomp,
    "needs_subids": _subids,
}


@functools.cache
def missing(need: str) -> str:
    """Why the machine lacks `need`, or the empty string."""
    return PROBES[need]()


@functools.cache
def promised() -> frozenset[str]:
    """The needs whose absence is a failure."""
    named = os.environ.get("SAMPAN_REQUIRE")
    if named is None:
        return frozenset(PROMISED_IN_CI if os.environ.get("CI") == "true" else ())
    needs = frozenset(name.strip() for name in named.split(",") if name.strip())
    if unknown := needs - PROBES.keys():
        raise ValueError(f"SAMPAN_REQUIRE names unknown needs: {sorted(unknown)}")
    return needs
