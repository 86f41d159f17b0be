"""`spec`: writes a config.json to begin with. Same as runc's, a shell in new namespaces with a read-only root."""

import os

from sampan.errors import AlreadyExists
from sampan.runtime.command.help import SPEC_VERSION
from sampan.runtime.command.options import Command, switch, text
from sampan.runtime.command.output import indented

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

COMMAND = Command(
    "spec",
    "",
    "write a config.json to begin with",
    (
        text("bundle b", "write it in DIR", "DIR"),
        text("file f", "write FILE instead of config.json", "FILE", "config.json"),
        switch("rootless", "for a user without rights: with a user namespace, without networks and limits"),
    ),
    least=0,
    most=0,
)

_CAPABILITIES = ("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")
_MASKED = (
    "/proc/acpi /proc/asound /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/timer_stats"
    " /proc/sched_debug /sys/firmware /proc/scsi"
).split()
_READ_ONLY = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split()
_MOUNTS = (
    ("/proc", "proc", "proc", ""),
    ("/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
    ("/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"),
    ("/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k"),
    ("/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"),
    ("/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"),
    ("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro"),
)


def run(context: "Context", options: "Options") -> int:
    path = os.path.join(options["bundle"], options["file"])
    spec = example(is_rootless=options["rootless"], is_cgroup2=os.path.exists("/sys/fs/cgroup/cgroup.controllers"))
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        raise AlreadyExists(f"File {path} exists. Remove it first") from None
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(indented(spec, indent="\t"))
    return 0


def example(*, is_rootless: bool, is_cgroup2: bool) -> "dict[str, Any]":
    """The configuration."""
    capabilities = {name: list(_CAPABILITIES) for name in ("bounding", "effective", "permitted")}
    process: dict[str, Any] = {
        "terminal": True,
        "user": {"uid": 0, "gid": 0},
        "args": ["sh"],
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
        "cwd": "/",
        "capabilities": capabilities,
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        "noNewPrivileges": True,
    }
    return {
        "ociVersion": SPEC_VERSION,
        "process": process,
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "sampan",
        "mounts": [_mount(*row, is_rootless=is_rootless) for row in _MOUNTS],
        "linux": _linux(is_rootless=is_rootless, is_cgroup2=is_cgroup2),
    }


def _mount(target: str, kind: str, source: str, words: str, *, is_rootless: bool) -> "dict[str, Any]":
    options = words.split(",") if words else []
    if is_rootless:
        # Group 5 is not mapped, and sysfs belongs to whoever owns the network namespace.
        options = [word for word in options if not word.startswith(("gid=", "uid="))]
        if target == "/sys":
            kind, source, options = "none", "/sys", ["rbind", *options]
    mount: dict[str, Any] = {"destination": target, "type": kind, "source": source}
    return mount | {"options": options} if options else mount


def _linux(*, is_rootless: bool, is_cgroup2: bool) -> "dict[str, Any]":
    spaces = ["pid", "network", "ipc", "uts", "mount"] + (["cgroup"] if is_cgroup2 else [])
    linux: dict[str, Any] = {}
    if is_rootless:
        spaces = [space for space in spaces if space != "network"] + ["user"]
        linux["uidMappings"] = [{"containerID": 0, "hostID": os.geteuid(), "size": 1}]
        linux["gidMappings"] = [{"containerID": 0, "hostID": os.getegid(), "size": 1}]
    else:
        linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    linux["namespaces"] = [{"type": space} for space in spaces]
    return linux | {"maskedPaths": list(_MASKED), "readonlyPaths": list(_READ_ONLY)}
