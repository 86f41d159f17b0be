"""Mounting, unmounting and remounting from inside, and namespaces in which that might be allowed."""

import ctypes
import os

import kernel
from run import Failed

FSCONFIG_CMD_CREATE = 6
OPEN_TREE_CLONE = 1
MOUNT_ATTR_RDONLY = 1
SIGCHLD = 17
MASKED = (
    "/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug"
    " /proc/timer_list /proc/timer_stats /sys/firmware /proc/scsi"
).split()
READ_ONLY = "/proc/sys /proc/sysrq-trigger /proc/irq /proc/bus /proc/fs /sys /sys/fs/cgroup".split()
CORE_PATTERN = "/proc/sys/kernel/core_pattern"


def a_tmpfs():
    """mount(2) of a new file system."""
    os.makedirs("/tmp/here", exist_ok=True)
    kernel.mount("none", "/tmp/here", "tmpfs")
    return "mounted"


def a_bind():
    """mount(2), MS_BIND: one place onto another."""
    os.makedirs("/tmp/here", exist_ok=True)
    kernel.mount("/etc", "/tmp/here", "", kernel.MS_BIND)
    return "mounted"


def the_new_way():
    """fsopen(2), fsmount(2), move_mount(2): what a filter that knows mount(2) only would miss."""
    context = kernel.call("fsopen", "tmpfs", 0)
    kernel.call("fsconfig", context, FSCONFIG_CMD_CREATE, 0, 0, 0)
    mount_fd = kernel.call("fsmount", context, 0, 0)
    kernel.call("move_mount", mount_fd, "", kernel.AT_FDCWD, "/tmp", 4)
    return "mounted"


def a_detached_copy():
    """open_tree(2), OPEN_TREE_CLONE: a copy of the root's mounts, without what is mounted on top."""
    return kernel.call("open_tree", kernel.AT_FDCWD, "/", OPEN_TREE_CLONE)


def writable_again():
    """Remount what is read-only read-write: mount(2), MS_REMOUNT, and mount_setattr(2)."""
    errors = []
    for path in filter(os.path.exists, READ_ONLY):
        try:
            kernel.mount("none", path, "", kernel.MS_REMOUNT | kernel.MS_BIND)
            return f"{path} is writable"
        except OSError as error:
            errors.append(str(error))
        try:
            attributes = (ctypes.c_uint64 * 4)(0, MOUNT_ATTR_RDONLY, 0, 0)
            kernel.call("mount_setattr", kernel.AT_FDCWD, path, 0, attributes, 32)
            return f"{path} is writable"
        except OSError as error:
            errors.append(str(error))
    raise Failed(errors)


def uncover():
    """Unmount what is mounted over kernel files, plainly and lazily."""
    errors = []
    for path in {mount[0] for mount in kernel.mounts()} & {*MASKED, *READ_ONLY}:
        for flags in (0, kernel.MNT_DETACH):
            try:
                kernel.call("umount2", path, flags)
                return f"{path} is uncovered"
            except OSError as error:
                errors.append(str(error))
    raise Failed(errors)


def another_root():
    """pivot_root(2) to a directory of the container's own."""
    os.makedirs("/tmp/root", exist_ok=True)
    try:
        kernel.mount("/tmp/root", "/tmp/root", "", kernel.MS_BIND)  # pivot_root(2) wants a mount
    except OSError:
        pass
    kernel.call("pivot_root", "/tmp/root", "/tmp/root")
    return "moved"


def an_interpreter():
    """binfmt_misc: register a program of the container as the interpreter of files, on the whole host."""
    os.makedirs("/tmp/here", exist_ok=True)
    kernel.mount("none", "/tmp/here", "binfmt_misc")
    os.close(os.open("/tmp/here/register", os.O_WRONLY))
    return "could register"


def own_mounts():
    """unshare(2), CLONE_NEWNS, then a mount there."""
    kernel.call("unshare", kernel.CLONE_NEWNS)
    return a_tmpfs()


def in_user_namespace():
    """unshare(2), CLONE_NEWUSER: every capability, in a namespace of one's own; then mount something there."""
    kernel.call("unshare", kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
    kernel.mount("none", "/tmp", "tmpfs")
    return "all capabilities in a user namespace"


def in_cloned_user_namespace(by_clone3):
    """The same by clone(2) or clone3(2), whose flags no filter can read."""
    if by_clone3:
        arguments = (ctypes.c_uint64 * 8)(kernel.CLONE_NEWUSER, 0, 0, 0, SIGCHLD, 0, 0, 0)
        pid = kernel.call("clone3", arguments, ctypes.sizeof(arguments))
    else:
        pid = kernel.call("clone", kernel.CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "a child with all capabilities in a user namespace"


def fresh_proc():
    """In a user, PID and mount namespace of one's own, mount a new /proc or /sys, without masks and writable."""
    kernel.call("unshare", kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS | kernel.CLONE_NEWPID)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.mkdir("/tmp/proc")
            kernel.mount("proc", "/tmp/proc", "proc")
            os.write(writer, b"a new /proc")
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    found = os.read(reader, 100)
    if not found:
        raise Failed("no new /proc")
    return found


def uncover_in_user_namespace():
    """In a user namespace of one's own, take the container's masks away from the mounts that came along."""
    kernel.call("unshare", kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
    return uncover()


def masked():
    """Read what is masked."""
    found = {}
    for path in filter(os.path.exists, MASKED):
        try:
            content = os.listdir(path) if os.path.isdir(path) else kernel.read_some(path)
        except OSError:
            continue
        if content:
            found[path] = len(content)
    if not found:
        raise Failed("nothing there")
    return found


def settings():
    """Open kernel settings for writing."""
    errors = []
    for path in (CORE_PATTERN, "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity"):
        try:
            os.close(os.open(path, os.O_WRONLY))
            return path
        except OSError as error:
            errors.append(str(error))
    raise Failed(errors)


def sys_files():
    """Open files of /sys for writing, uevent_helper and the like."""
    errors = []
    for folder in ("/sys/kernel", "/sys/module", "/sys/power", "/sys/devices/system/cpu"):
        for parent, _, names in os.walk(folder):
            for name in names:
                try:
                    os.close(os.open(f"{parent}/{name}", os.O_WRONLY | os.O_NONBLOCK))
                    return f"{parent}/{name}"
                except OSError as error:
                    errors.append(error.errno)
    raise Failed(f"{len(errors)} files, errors {sorted(set(errors))}")


def any_writable_proc(folders):
    """Look for a /proc that is real and was left without protection, wherever it has been mounted: write settings."""
    errors = []
    for folder in folders:
        try:
            os.close(os.open(f"{folder}/sys/kernel/core_pattern", os.O_WRONLY))
            with open(f"{folder}/sys/kernel/ostype") as file:  # the fake has none
                return folder, file.read()
        except OSError as error:
            errors.append(str(error))
    raise Failed(errors)


def misplaced_console(allowed):
    """Look for a terminal that was mounted elsewhere, or for something else that was mounted as the console.

    A mount goes along when the name it is on is exchanged, so the other name is allowed, too.
    """
    found = {mount[0] for mount in kernel.mounts() if mount[2] == "devpts" and mount[3] != "/"}
    others = {mount[0] for mount in kernel.mounts() if mount[2] != "devpts"} & set(allowed)
    if len(found) != 1 or not found <= set(allowed) or others:
        return found, others
    raise Failed(f"the terminal is on {found}")


def vanished(mark):
    """Look for a mount of the container that is not in its root: it must be somewhere else then."""
    places = [mount[0] for mount in kernel.mounts() if mount[3].endswith(mark)]
    if places:
        raise Failed(f"mounted on {places}")
    return "it was mounted outside of the root"
