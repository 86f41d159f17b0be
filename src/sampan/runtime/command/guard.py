"""The interpreter that a container may come to see is one that it cannot write to (CVE-2019-5736).

Until its execve a container's first process is this interpreter, and a container can make that execve lead back to
/proc/self/exe ("#!/proc/self/exe"). So verbs that start processes run from a read-only mount of the interpreter: a
mount of the host that stays, below GUARDS, so that its cost falls on the first call after a start of the machine. The
script file uses it directly when it is there.

Layout      GUARDS/<folder of the interpreter>/bin/python3     the mount
            GUARDS/<folder of the interpreter>/pyvenv.cfg      tells the interpreter where its library is
Without the rights to mount, the interpreter is copied into sealed memory and executed from there, at each call.
An interpreter that was replaced since (an upgrade of the system) is mounted anew, over the old one.
"""

import os
import sys

from sampan.errors import Unavailable

TYPE_CHECKING = False

GUARDS = "/run/sampan-runtime/.interpreter"
_MARK = "SAMPAN_RUNTIME_GUARDED"  # in the environment of what is executed anew; "fd:N" has it close a descriptor


def enter() -> None:
    """Return when this process runs from a guarded interpreter; otherwise execute it anew from one."""
    mark = os.environ.pop(_MARK, "")
    if mark:
        _close(mark)
        if not _is_guarded():
            raise Unavailable("the interpreter could not be guarded against the container")
        return
    own = _own_path()
    if own != sys.executable and not _is_replaced(own):
        return
    from sampan.runtime.launcher import interpreter

    image = _mounted(own)
    if image:
        os.execve(image, [image, "-IS", *sys.argv], {**os.environ, _MARK: "1"})
    fd = interpreter.guarded(os.path.realpath(own))
    os.set_inheritable(fd, True)
    environment = {**os.environ, _MARK: f"fd:{fd}"}
    os.execve(f"/proc/self/fd/{fd}", [own, "-IS", *sys.argv], environment)


def _is_guarded() -> bool:
    """Whether who opens our /proc/<pid>/exe cannot write to it: a read-only mount, or sealed memory."""
    where = os.readlink("/proc/self/exe")
    return where.startswith("/memfd:") or bool(os.statvfs("/proc/self/exe").f_flag & os.ST_RDONLY)


def _close(mark: str) -> None:
    kind, _, number = mark.partition(":")
    if kind == "fd":
        os.close(int(number))  # --preserve-fds must not find it


def _own_path() -> str:
    """Where the interpreter is that runs, or that a guarded one was made of."""
    own = sys.executable
    if own.startswith(f"{GUARDS}/"):
        return f"{os.path.dirname(os.path.dirname(own))[len(GUARDS) :]}/python3"
    return own


def _is_replaced(own: str) -> bool:
    try:
        return not os.path.samestat(os.stat(own), os.stat(sys.executable))
    except OSError:
        return False  # the command is being removed


def _mounted(own: str) -> str:
    """The path of the guarded interpreter, made if need be; "" where this user may not mount."""
    if os.geteuid():
        return ""
    real = os.path.realpath(own)
    folder = f"{GUARDS}{os.path.dirname(os.path.abspath(own))}"
    image = f"{folder}/bin/python3"
    mask = os.umask(0o022)  # whatever the caller's: what root executes others must not replace
    try:
        if not _is_guard(image, real):
            _lay_out(folder, image, real)
            _mount(image, real)
    except OSError:
        return ""
    finally:
        os.umask(mask)
    return image


def _is_guard(image: str, real: str) -> bool:
    try:
        is_same = os.path.samestat(os.stat(image), os.stat(real))
    except FileNotFoundError:
        return False
    return is_same and bool(os.statvfs(image).f_flag & os.ST_RDONLY)


def _lay_out(folder: str, image: str, real: str) -> None:
    os.makedirs(f"{folder}/bin", exist_ok=True)
    with open(f"{folder}/pyvenv.cfg", "w", encoding="utf-8") as file:
        file.write(f"home = {os.path.dirname(real)}\n")
    if not os.path.exists(image):
        os.close(os.open(image, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o600))


def _mount(image: str, real: str) -> None:
    from sampan.linux import constants as c
    from sampan.linux import syscalls

    tree = syscalls.open_tree(c.AT_FDCWD, real, c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC)
    try:
        syscalls.mount_setattr(tree, 0, attr_set=c.MOUNT_ATTR_RDONLY | c.MOUNT_ATTR_NOSUID)
        target = os.open(image, os.O_PATH | os.O_CLOEXEC)
        try:
            syscalls.move_mount(tree, target)
        finally:
            os.close(target)
    finally:
        os.close(tree)
