"""A first process that is cloned once more, into namespaces which its predecessor must not be in.

    supervisor                 predecessor (host)                     successor (container)
      │ ── orders ─────────────▶ │ prepares with the host's privileges
      │                          │ joins what is to be joined
      │                          │ clone3 ───────────────────────────▶ │ in new namespaces; waits
      │ ◀── born {pid, pidfd} ── │ writes the id mappings ────────────▶ │ becomes root of its user namespace
      │                          ┴ exits                               │ goes on (`runtime.init`)

The successor is the supervisor's child (CLONE_PARENT), has the predecessor's memory and speaks on the same socket.
Spec        user_namespaces(7); runtime-spec 1.2, config-linux.md "User namespace mappings".
"""

import errno
import os

from sampan.linux import capabilities, syscalls
from sampan.linux import constants as c
from sampan.runtime import ground, message, namespaces
from sampan.runtime.restrict import StageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any, NoReturn

    from sampan.runtime.stage import Stage
else:
    import _signal as signal  # the same functions without the enums around them

_AT_REBIRTH = c.CLONE_NEWUSER | c.CLONE_NEWPID | c.CLONE_NEWUTS | c.CLONE_NEWIPC | c.CLONE_NEWNS


def split(stage: "Stage") -> None:
    """Clone the successor, in which this returns; the predecessor never does."""
    spaces, fds = stage.namespaces, stage.namespace_fds
    flags = spaces.new & _AT_REBIRTH
    if "user" in fds:
        flags &= ~c.CLONE_NEWUSER
    if "network" not in fds:
        flags |= spaces.new & c.CLONE_NEWNET
    is_joined = "user" in fds
    # With the host's privileges as long as possible: the user namespace is joined last, but where there are none.
    if os.geteuid():
        namespaces.join(fds, "user")
    namespaces.join(fds, "pid", "network", "ipc", "uts", "time", "cgroup", "user")
    read, write = os.pipe2(os.O_CLOEXEC)
    pid, pidfd = syscalls.clone3(flags | c.CLONE_PARENT, exit_signal=0)
    if pid:
        _see_off(stage, pid, pidfd, write, is_joined=is_joined)
    os.close(write)
    if stage.folder_fd >= 0:
        os.close(stage.folder_fd)
    syscalls.prctl(c.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.read(read, 1) != b"1":
        os._exit(1)  # the predecessor has said why
    os.close(read)
    syscalls.prctl(c.PR_SET_DUMPABLE, 0)
    if spaces.in_user_namespace:
        capabilities.forget_bounding()
        become_root()


def _see_off(stage: "Stage", pid: int, pidfd: int, gate: int, *, is_joined: bool) -> "NoReturn":
    linux = stage.spec["linux"]
    # Told before anything can fail: from here on it is the supervisor that reaps.
    message.send(stage.sync, {"event": "born", "pid": pid}, [pidfd])
    if stage.folder_fd >= 0:
        ground.amend(stage.folder_fd, pid)
    if stage.namespaces.new & c.CLONE_NEWUSER and not is_joined:
        try:
            uids, gids = linux.get("uidMappings"), linux.get("gidMappings")
            write_mappings(pid, uids or default_mapping(os.geteuid()), gids or default_mapping(os.getegid()))
        except OSError as error:
            raise StageError(f"write id mappings: {error.strerror or error}") from error
    os.write(gate, b"1")
    os._exit(0)


def become_root() -> None:
    """Be what the user namespace has as root, as far as it maps that, without the host's groups."""
    for change, name in ((os.setresgid, "gid"), (os.setresuid, "uid")):
        try:
            change(0, 0, 0)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise StageError(f"become {name} 0 of the user namespace: {error.strerror}") from error
            # 0 is not mapped; the capabilities of whoever is born in a user namespace do not hang on it.
    if may_set_groups():
        os.setgroups([])


def may_set_groups() -> bool:
    """Whether this user namespace lets its processes choose supplementary groups."""
    try:
        fd = os.open("/proc/self/setgroups", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        return os.read(fd, 16).strip() != b"deny"
    finally:
        os.close(fd)


def default_mapping(own: int) -> "list[dict[str, Any]]":
    """Where a config asks for a user namespace and maps nothing: every id to itself, for a user only his own to 0."""
    if own == 0:
        return [{"containerID": 0, "hostID": 0, "size": 0xFFFFFFFF}]
    return [{"containerID": 0, "hostID": own, "size": 1}]


def write_mappings(pid: int, uids: "list[dict[str, Any]]", gids: "list[dict[str, Any]]") -> None:
    """Give the user namespace of `pid` its mappings (containerID, hostID, size); as another user than root, through
    newuidmap(1) where the kernel alone would refuse."""
    if os.geteuid() == 0 or (_is_own(uids, os.geteuid()) and _is_own(gids, os.getegid())):
        if os.geteuid():
            _write(pid, "setgroups", "deny")
        _write(pid, "gid_map", _text(gids))
        _write(pid, "uid_map", _text(uids))
        return
    for program, mappings in (("newgidmap", gids), ("newuidmap", uids)):
        _run(program, pid, mappings)


def _is_own(mappings: "list[dict[str, Any]]", own: int) -> bool:
    return len(mappings) == 1 and mappings[0]["size"] == 1 and mappings[0]["hostID"] == own


def _text(mappings: "list[dict[str, Any]]") -> str:
    return "".join(f"{one['containerID']} {one['hostID']} {one['size']}\n" for one in mappings)


def _write(pid: int, name: str, text: str) -> None:
    fd = os.open(f"/proc/{pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())  # one write(2), says user_namespaces(7)
    finally:
        os.close(fd)


def _run(program: str, pid: int, mappings: "list[dict[str, Any]]") -> None:
    args = [program, str(pid), *_text(mappings).split()]
    child = os.posix_spawnp(program, args, os.environ)
    _, status = os.waitpid(child, 0)
    if status:
        code = os.waitstatus_to_exitcode(status)
        raise OSError(errno.EPERM, f"{program} ended with {code}")
