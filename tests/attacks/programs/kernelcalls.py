"""The kernel's more dangerous system calls. Each is made so that it changes nothing when it is allowed."""

import ctypes
import errno
import mmap
import os
import socket
import struct

import kernel
from run import Failed

AF_VSOCK = 40
BPF_MAP_CREATE, BPF_MAP_TYPE_ARRAY = 0, 2
KEYCTL_GET_KEYRING_ID, KEYCTL_SEARCH, KEYCTL_READ = 0, 10, 11
KEYRINGS = {"session": -3, "user": -4, "user session": -5}
PERF_TYPE_SOFTWARE, PERF_ATTR_BYTES = 1, 128
REBOOT_MAGIC, REBOOT_MAGIC2, REBOOT_CAD_OFF = 0xFEE1DEAD, 672274793, 0
SYSLOG_ACTION_READ_ALL = 3
UFFD_USER_MODE_ONLY = 1
UNUSUAL_PERSONALITY = 0x0040000  # ADDR_NO_RANDOMIZE
I386_KEYCTL, X32_BIT = 288, 0x40000000


def _past_the_gate(name, *arguments, reached):
    """Make a call that goes wrong in the kernel; `reached` are the errors that only a permitted one gets to."""
    try:
        kernel.call(name, *arguments)
    except OSError as error:
        if error.errno not in reached:
            raise
        return f"{name} got as far as {error}"
    return f"{name} was done"


def read_log():
    """syslog(2): read the kernel's log."""
    buffer = ctypes.create_string_buffer(4096)
    return kernel.call("syslog", SYSLOG_ACTION_READ_ALL, buffer, 4096)


def load_module():
    """finit_module(2) of no file."""
    return _past_the_gate("finit_module", -1, "", 0, reached=(errno.EBADF,))


def load_kernel():
    """kexec_load(2) of nothing, with flags that do not exist."""
    return _past_the_gate("kexec_load", 0, 0, 0, 0x8000, reached=(errno.EINVAL,))


def reboot():
    """reboot(2): with a command that a PID namespace does not have."""
    return _past_the_gate("reboot", REBOOT_MAGIC, REBOOT_MAGIC2, REBOOT_CAD_OFF, 0, reached=(errno.EINVAL,))


def swap():
    """swapon(2) of a file that does not exist."""
    return _past_the_gate("swapon", "/nowhere", 0, reached=(errno.ENOENT,))


def account():
    """acct(2) into a file that does not exist."""
    return _past_the_gate("acct", "/nowhere/at/all", reached=(errno.ENOENT,))


def set_time_zone():
    """settimeofday(2): the kernel's time zone, as it is by default."""
    return _past_the_gate("settimeofday", 0, struct.pack("ii", 0, 0), reached=())


def io_ports():
    """ioperm(2): access to the port of the POST display."""
    return _past_the_gate("ioperm", 0x80, 1, 1, reached=())


def rename_host():
    """sethostname(2), to the name that there is."""
    socket.sethostname(socket.gethostname())
    return "renamed"


def watch_files():
    """fanotify_init(2) for everything on a file system."""
    return kernel.call("fanotify_init", 0x4, 0)  # FAN_CLASS_CONTENT


def bpf():
    """bpf(2): make a map, as a program would need it."""
    attributes = struct.pack("IIII", BPF_MAP_TYPE_ARRAY, 4, 4, 1).ljust(72, b"\0")
    return kernel.call("bpf", BPF_MAP_CREATE, attributes, len(attributes))


def perf():
    """perf_event_open(2) on every process of a processor."""
    attributes = struct.pack("IIQQ", PERF_TYPE_SOFTWARE, PERF_ATTR_BYTES, 0, 1 << 20).ljust(PERF_ATTR_BYTES, b"\0")
    return kernel.call("perf_event_open", attributes, -1, 0, -1, 0)


def page_faults():
    """userfaultfd(2): stop the kernel in the middle of a copy, which makes races of its bugs."""
    return kernel.call("userfaultfd", UFFD_USER_MODE_ONLY | os.O_CLOEXEC)


def rings():
    """io_uring_setup(2): system calls that no filter sees."""
    return kernel.call("io_uring_setup", 1, ctypes.create_string_buffer(120))


def personality():
    """personality(2): switch address randomisation off for what is executed next."""
    return kernel.call("personality", UNUSUAL_PERSONALITY)


def host_socket():
    """A socket to the machine that hosts this virtual one: vsock(7)."""
    socket.socket(AF_VSOCK, socket.SOCK_STREAM).close()
    return "made"


def keys():
    """keyctl(2), add_key(2), request_key(2): keyrings have no namespace."""
    errors = []
    for name, arguments in (
        ("keyctl", (KEYCTL_GET_KEYRING_ID, KEYRINGS["user"], 0)),
        ("add_key", ("user", "smpx", b"x", 1, -2)),
        ("request_key", ("user", "smpx", 0, -2)),
    ):
        try:
            return _past_the_gate(name, *arguments, reached=(errno.ENOKEY,))
        except OSError as error:
            errors.append(str(error))
    raise Failed(errors)


def find_key(description, rings):
    """Look for a key of the host in the keyrings that one can name."""
    errors = []
    for ring in rings:
        try:
            key = kernel.call("keyctl", KEYCTL_SEARCH, KEYRINGS[ring], "user", description, 0)
            buffer = ctypes.create_string_buffer(64)
            size = kernel.call("keyctl", KEYCTL_READ, key, buffer, 64)
            return ring, buffer.raw[:size]
        except OSError as error:
            errors.append(f"{ring}: {error}")
    raise Failed(errors)


def keys_as_x32():
    """keyctl(2) by its x32 number, which a filter for x86-64 alone lets pass."""
    return kernel.raw(X32_BIT | kernel.number("keyctl"), KEYCTL_GET_KEYRING_ID, KEYRINGS["user"], 0)


def keys_as_i386():
    """keyctl(2) by int 0x80, whose numbers are those of i386."""
    # mov eax, 288; xor ebx, ebx; mov ecx, -4; xor edx, edx; int 0x80; ret, with rbx saved
    code = b"\x53\xb8" + struct.pack("<I", I386_KEYCTL) + b"\x31\xdb\xb9\xfc\xff\xff\xff\x31\xd2\xcd\x80\x5b\xc3"
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    result = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result
