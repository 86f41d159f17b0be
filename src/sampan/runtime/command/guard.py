"""The interpreter that a container may come to see is one that it cannot write to (CVE-2019-5736).

Until its execve a container's first process is this interpreter, and a container can make that execve lead back to
/proc/self/exe ("#!/proc/self/exe"). So verbs that start processes run from a read-only mount of the interpreter: a
mount of the host that stays, below GUARDS, so that its cost falls on the first call after a start of the machine. The
script file uses it directly when it is there.

Layout      GUARDS/<folder of the interpreter>/bin/python3     the mount
            GUARDS/<folder of the interpreter>/pyvenv.cfg      tells the interpreter where its library is
Without the rights to mount, the interpreter is copied into sealed memory and executed from there, at each call.
"""

import os
import sys

TYPE_CHECKING = False

GUARDS = "/run/sampan-runtime/.interpreter"
_MARK = "SAMPAN_RUNTIME_GUARDED"


def enter() -> None:
    """Return when this process runs from a guarded interpreter; otherwise execute it anew from one."""
    if sys.executable.startswith(f"{GUARDS}/") or os.environ.pop(_MARK, "") == "1":
        return
    from sampan.runtime.launcher import interpreter

    image = _mounted()
    if image:
        os.execv(image, [image, "-IS", *sys.argv])
    fd = interpreter.guarded(interpreter.real_interpreter())
    os.set_inheritable(fd, True)
    environment = {**os.environ, _MARK: "1"}
    os.execve(f"/proc/self/fd/{fd}", [sys.executable, "-IS", *sys.argv], environment)


def _mounted() -> str:
    """The path of the guarded interpreter, made if need be; "" where this user may not mount."""
    if os.geteuid():
        return ""
    from sampan.linux import constants as c
    from sampan.linux import syscalls

    real = os.path.realpath(sys.executable)
    folder = f"{GUARDS}{os.path.dirname(os.path.abspath(sys.executable))}"
    image = f"{folder}/bin/python3"
    try:
        os.makedirs(f"{folder}/bin", 0o755, exist_ok=True)
        with open(f"{folder}/pyvenv.cfg", "w", encoding="utf-8") as file:
            file.write(f"home = {os.path.dirname(real)}\n")
        os.close(os.open(image, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o600))
        tree = syscalls.open_tree(c.AT_FDCWD, real, c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC)
        try:
            syscalls.mount_setattr(tree, 0, attr_set=c.MOUNT_ATTR_RDONLY | c.MOUNT_ATTR_NOSUID)
            target = os.open(image, os.O_PATH | os.O_CLOEXEC)
            syscalls.move_mount(tree, target)
            os.close(target)
        finally:
            os.close(tree)
    except OSError:
        return ""
    return image
