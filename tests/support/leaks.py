"""What on this host belongs to one daemon: found by its roots, not by comparing before with after.

Other engines, or a second test run, may make and drop objects all the while, so each object is attributed: a process by
the marker in its environment (kept over fork), by its command line, or by a mount namespace that has files of the roots
in it; a mount by its source; a link by the bridge it is a port of; a cgroup or nftables table by its name.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator

CGROUP_ROOT = "/sys/fs/cgroup"
CONTAINER_ID = re.compile(r"[0-9a-f]{64}")


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:  # the process went away, or has no such file
        return b""


def pids() -> list[int]:
    """All processes that can be seen."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def is_zombie(pid: int) -> bool:
    """Dead but not reaped, or gone."""
    return _read(f"/proc/{pid}/stat").rpartition(b") ")[2][:1] in (b"Z", b"X", b"")


def command_name(pid: int) -> str:
    """What a process calls itself."""
    return _read(f"/proc/{pid}/comm").decode(errors="replace").strip()


def processes(roots_path: str) -> dict[int, str]:
    """Processes of the daemon with roots below `roots_path`, containers' included: pid to a description."""
    wanted = roots_path.encode()
    own_mounts = os.readlink("/proc/self/ns/mnt")
    found = {}
    for pid in pids():
        if pid == os.getpid() or is_zombie(pid):
            continue
        # A shim may write its title over its arguments; its environment stays.
        ours = wanted in _read(f"/proc/{pid}/environ") or wanted in _read(f"/proc/{pid}/cmdline")
        if not ours:
            try:
                ours = os.readlink(f"/proc/{pid}/ns/mnt") != own_mounts and wanted in _read(f"/proc/{pid}/mountinfo")
            except OSError:
                continue
        if ours:
            found[pid] = _read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def mounts(roots_path: str) -> list[str]:
    """Mount points of this mount namespace that lie in the roots or show something of them."""
    lines = _read("/proc/self/mountinfo").decode().splitlines()
    return [line for line in lines if roots_path in line]


def cgroups(ids: frozenset[str] | set[str]) -> list[str]:
    """cgroup directories named after one of these containers."""
    return [
        os.path.join(folder, name)
        for folder, names, _ in os.walk(CGROUP_ROOT)
        for name in names
        if (match := CONTAINER_ID.search(name)) and match.group() in ids
    ]


def ports(bridge: str) -> list[str]:
    """Links that are ports of the bridge."""
    folder = f"/sys/class/net/{bridge}/brif"
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def tables(bridge: str) -> list[str]:
    """nftables tables that name the bridge; empty where there is no `nft` to ask."""
    if shutil.which("nft") is None:
        return []
    listing = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False).stdout.split("\n")
    found = []
    for line in filter(None, listing):
        rules = subprocess.run(["nft", "list", *line.split()], capture_output=True, text=True, check=False).stdout
        if re.search(rf"\b{bridge}\b", rules):
            found.append(line)
    return found


def entries(*folders: str) -> Iterator[str]:
    """What is in these directories, where they exist."""
    for folder in folders:
        if os.path.isdir(folder):
            yield from (os.path.join(folder, name) for name in os.listdir(folder))


def open_fds(pid: int) -> list[str]:
    """What the descriptors of a process point to."""
    found = []
    for path in entries(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(path))
        except OSError:  # the descriptor of the listing itself
            continue
    return found
