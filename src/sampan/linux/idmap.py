"""User namespaces made only for their id mappings, and mounts that are seen through them.

A mapping is (first id inside, first id outside, count), as in /proc/<pid>/uid_map (user_namespaces(7)). Given to a
mount it says that what the file system has as "inside" is seen as "outside" (mount_setattr(2), MOUNT_ATTR_IDMAP).

Privileges  CAP_SYS_ADMIN in the user namespace of the file system, CAP_SETUID and CAP_SETGID in the caller's own.
Errors      OSError: of the mapping as user_namespaces(7), of the mount with a text that says what is missing.
"""

import errno
import os

from sampan.linux import constants as c
from sampan.linux import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # the same functions without the enums around them

Mapping = tuple[int, int, int]


def userns_fd(uids: "list[Mapping]", gids: "list[Mapping]") -> int:
    """A descriptor of a new user namespace with these mappings, in which nobody is."""
    return namespace_fds(uids, gids)["user"]


def namespace_fds(
    uids: "list[Mapping]", gids: "list[Mapping]", *, more: int = 0, kinds: "tuple[str, ...]" = ()
) -> "dict[str, int]":
    """Descriptors of a new user namespace and of others that belong to it: CLONE_NEW* `more`, in ns/<kind> by `kinds`.

    /proc has to be one in which the caller can be seen; it need not be that of the caller's PID namespace.
    """
    read, write = os.pipe2(os.O_CLOEXEC)
    pid, pidfd = syscalls.clone3(c.CLONE_NEWUSER | more, exit_signal=signal.SIGCHLD)
    if not pid:
        _wait_for_end(read, write)
    os.close(read)
    found: dict[str, int] = {}
    try:
        number = _number_in_proc(pidfd)
        _write(f"/proc/{number}/uid_map", uids)
        _write(f"/proc/{number}/gid_map", gids)
        for kind in ("user", *kinds):
            name = "net" if kind == "network" else kind
            found[kind] = os.open(f"/proc/{number}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        return found
    except BaseException:
        for fd in found.values():
            os.close(fd)
        raise
    finally:
        os.close(write)
        _reap(pidfd)


def _reap(pidfd: int) -> None:
    try:
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    except ChildProcessError:
        pass  # whoever ignores SIGCHLD has the kernel do it
    finally:
        os.close(pidfd)


def _wait_for_end(read: int, write: int) -> None:
    try:
        os.close(write)
        os.read(read, 1)
    finally:
        os._exit(0)


def _number_in_proc(pidfd: int) -> str:
    """How /proc calls the process: it need not count as `clone3` does in a PID namespace of one's own (proc(5))."""
    fd = os.open(f"/proc/self/fdinfo/{pidfd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(fd, 4096).decode()
    finally:
        os.close(fd)
    return text.partition("Pid:")[2].split(None, 1)[0]


def _write(path: str, mappings: "list[Mapping]") -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        # One write(2), says user_namespaces(7).
        os.write(fd, "".join(f"{inside} {outside} {count}\n" for inside, outside, count in mappings).encode())
    except OSError as error:
        error.filename = None
        error.strerror = f"write id mappings: {error.strerror}"
        raise
    finally:
        os.close(fd)


def map_mount(tree_fd: int, namespace_fd: int, *, recursive: bool = False) -> None:
    """Let a detached mount (open_tree(2)) be seen through the mappings of a user namespace; Linux 5.12."""
    depth = c.AT_RECURSIVE if recursive else 0
    try:
        syscalls.mount_setattr(tree_fd, depth, attr_set=c.MOUNT_ATTR_IDMAP, userns_fd=namespace_fd)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOSYS):
            text = "mount_setattr: this file system cannot be idmapped by this kernel"
            raise OSError(error.errno, text) from error
        error.strerror = f"mount_setattr: {error.strerror}"
        raise
