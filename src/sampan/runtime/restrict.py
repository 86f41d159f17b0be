"""The last steps before a container's program runs: limits, user, capabilities, filter, and execve.

The same for a container's first process and for one that joins it (exec). When `restrict` begins, the process is in all
its namespaces and its root is the container's.

Before      `find_program`, `keep_fds`: a filter of older days knows none of the system calls that these take.
Order       rlimits; seccomp, if without no_new_privs; bounding set; groups, gid, uid; the other capability sets;
            no_new_privs; parent-death signal (a change of credentials clears it, prctl(2)); then the caller may wait;
            seccomp with no_new_privs, and `execute` replaces the process.
"""

import errno
import os
import resource

from sampan.linux import capabilities, syscalls
from sampan.linux import constants as c
from sampan.linux.rootpath import open_in_root
from sampan.runtime.identity import Identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket as socket
    import signal
    from typing import Any

    from sampan.runtime.filter import Filter
else:
    import _signal as signal  # the same functions without the enums around them

CANNOT_RUN = 126
NOT_FOUND = 127
FAILED = 128
CLOSE_RANGE_CLOEXEC = 4


class StageError(Exception):
    """Why a process cannot run; `exit_code` is what a shell would say."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def set_rlimits(limits: "list[dict[str, Any]]") -> None:
    """Resource limits by their names in the OCI config (RLIMIT_NOFILE...)."""
    for limit in limits:
        number = getattr(resource, limit["type"], None)
        if number is None:
            raise StageError(f"unknown resource limit {limit['type']}")
        unlimited = resource.RLIM_INFINITY
        soft, hard = (unlimited if v < 0 or v >= 1 << 63 else v for v in (limit["soft"], limit["hard"]))
        try:
            resource.setrlimit(number, (soft, hard))
        except (OSError, ValueError) as error:
            text = f"error setting rlimits for ready process: error setting rlimit type {number}: {_text(error)}"
            raise StageError(text) from error


def raised(limits: "list[dict[str, Any]]") -> "list[dict[str, Any]]":
    """Those limits whose hard one is above this process's own."""
    found = []
    for limit in limits:
        number = getattr(resource, limit["type"], None)
        own = resource.RLIM_INFINITY if number is None else resource.getrlimit(number)[1]
        if own != resource.RLIM_INFINITY and not 0 <= limit["hard"] <= own:
            found.append(limit)
    return found


def _text(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return "operation not permitted" if "not allowed" in str(error) else str(error)


def enter_directory(root_fd: int, unsafe_cwd: str) -> None:
    """Change into the working directory, resolved inside the root."""
    try:
        fd = open_in_root(root_fd, unsafe_cwd, os.O_PATH | os.O_DIRECTORY)
    except OSError as error:
        text = f'chdir to cwd ("{unsafe_cwd}") set in config.json failed: {_text(error)}'
        raise StageError(text, CANNOT_RUN if isinstance(error, NotADirectoryError) else NOT_FOUND) from error
    os.fchdir(fd)
    os.close(fd)


def restrict(
    process: "dict[str, Any]",
    identity: Identity,
    sync: "socket.socket",
    filter: "Filter | None" = None,
    *,
    dies_with_parent: bool = True,
) -> None:
    """Limits, credentials and filter of the OCI process object; afterwards only `execute` is sensible."""
    set_rlimits(process.get("rlimits") or [])
    no_new_privileges = bool(process.get("noNewPrivileges"))
    if filter is not None and not no_new_privileges:
        filter.load(sync)  # now or never: without no_new_privs it takes CAP_SYS_ADMIN
    sets = {name: capabilities.mask(names or []) for name, names in (process.get("capabilities") or {}).items()}
    bound = capabilities.bounding()
    sets = {name: bits & bound for name, bits in sets.items()}
    if process.get("capabilities") is not None:
        capabilities.drop_bounding(sets.get("bounding", 0), bound)
    _become(identity, sets)
    if process.get("capabilities") is not None:
        syscalls.capset(sets.get("effective", 0), sets.get("permitted", 0), sets.get("inheritable", 0))
        # What is not inheritable cannot be ambient (capabilities(7)); other runtimes leave it out with a warning, too.
        capabilities.raise_ambient(sets.get("ambient", 0) & sets.get("inheritable", 0) & sets.get("permitted", 0))
    if no_new_privileges:
        syscalls.prctl(c.PR_SET_NO_NEW_PRIVS, 1)
        if filter is not None and filter.listener:
            filter.load(sync)
    # A change of credentials has cleared it.
    syscalls.prctl(c.PR_SET_PDEATHSIG, signal.SIGKILL if dies_with_parent else 0)


def late_filter(process: "dict[str, Any]", filter: "Filter | None") -> "Filter | None":
    """The filter, if it is to be loaded right before execve, which no_new_privs allows."""
    if filter is None or filter.listener or not process.get("noNewPrivileges"):
        return None
    return filter


def _become(identity: Identity, sets: "dict[str, int]") -> None:
    try:
        _change_ids(identity)
    except OSError as error:
        # EINVAL: the user namespace does not map it (setresuid(2)).
        reason = "not mapped in the user namespace" if error.errno == errno.EINVAL else _text(error)
        ids = f"{identity.uid}:{identity.gid}" + (f" with groups {identity.groups}" if identity.groups else "")
        raise StageError(f"unable to setup user: cannot set uid and gid to {ids}: {reason}") from error


def _change_ids(identity: Identity) -> None:
    if not identity.keeps_groups and (identity.groups or os.getgroups()):
        os.setgroups(identity.groups)
    os.setresgid(identity.gid, identity.gid, identity.gid)
    if identity.uid:
        # Leaving uid 0 clears the permitted set; what is to stay is cut down right after.
        syscalls.prctl(c.PR_SET_KEEPCAPS, 1)
        os.setresuid(identity.uid, identity.uid, identity.uid)
        syscalls.prctl(c.PR_SET_KEEPCAPS, 0)
    else:
        os.setresuid(0, 0, 0)


def find_program(args: "list[str]", environment: "list[str]") -> str:
    """The file that args[0] names: as a path, or searched in the process's own PATH."""
    if not args or not args[0]:
        raise StageError("no command specified", NOT_FOUND)
    name = args[0]
    if "/" in name:
        _check(name, name)
        return name
    path = next((text[5:] for text in reversed(environment) if text.startswith("PATH=")), "")
    denied = False
    for folder in path.split(":"):
        # An empty element is the working directory (environ(7)).
        candidate = f"{folder or '.'}/{name}"
        try:
            _check(name, candidate)
        except StageError as error:
            denied = denied or error.exit_code == CANNOT_RUN
        else:
            return candidate
    if denied:
        raise StageError(f'exec: "{name}": permission denied', CANNOT_RUN)
    raise StageError(f'exec: "{name}": executable file not found in $PATH', NOT_FOUND)


def _check(name: str, path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        code = CANNOT_RUN if isinstance(error, (PermissionError, NotADirectoryError)) else NOT_FOUND
        raise StageError(f'exec: "{name}": stat {path}: {_text(error)}', code) from error
    if mode & 0o170000 == 0o040000:
        raise StageError(f'exec: "{name}": is a directory', CANNOT_RUN)
    if not mode & 0o111 or not os.access(path, os.X_OK, effective_ids=True):
        raise StageError(f'exec: "{name}": permission denied', CANNOT_RUN)


def keep_fds(preserved: "list[int]") -> None:
    """Nothing but descriptors 0 to 2, and the `preserved` ones, will survive execve."""
    syscalls.close_range(3, 0xFFFFFFFF, CLOSE_RANGE_CLOEXEC)
    for fd in preserved:
        os.set_inheritable(fd, True)


def default_signals() -> None:
    """Undo what an interpreter does to signals: nothing ignored, nothing blocked."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def execute(
    program: str,
    args: "list[str]",
    environment: "list[str]",
    sync: "socket.socket",
    *,
    filter: "Filter | None" = None,
) -> None:
    """execve(2); returns only by raising StageError. Which descriptors go along: `keep_fds`."""
    pairs = {}
    for text in environment:
        name, _, value = text.partition("=")
        if name:
            pairs[name] = value
    if filter is not None:
        filter.load(sync)
    try:
        os.execve(program, args, pairs)
    except OSError as error:
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN
        raise StageError(f"exec {program}: {_text(error)}", code) from error
    except ValueError as error:
        raise StageError(f"exec {program}: {error}", FAILED) from error
