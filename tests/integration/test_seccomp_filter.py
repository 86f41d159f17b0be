"""The kernel takes our filters, and does what they say. Each is loaded in a child that then calls what it is about."""

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import signal
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from sampan.api.wire.host import HostConfig
from sampan.engine.host import probe
from sampan.engine.process import DEFAULT_CAPABILITIES
from sampan.engine.seccomp import compiled, seccomp_of
from sampan.linux import syscalls
from sampan.oci.seccomp import compile_filter
from sampan.oci.seccomp.numbers import numbers
from support.children import code as ended_with
from support.children import code_of, fork

pytestmark = pytest.mark.needs_root

NOTIF_RECV, NOTIF_SEND = 0xC0502100, 0xC0182101
NOTIF, RESPONSE, DATA = 80, struct.Struct("=QqiI"), struct.Struct("=iIQ6Q")
SKIP = 99
_libc = ctypes.CDLL(None, use_errno=True)
on_x86_64 = pytest.mark.skipif(platform.machine() != "x86_64", reason="machine code of x86_64")


def call(number: int | str, *arguments: int) -> int:
    """The result of a system call, or the negative errno."""
    if isinstance(number, str):
        number = numbers(platform.machine())[number]
    result = _libc.syscall(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments))
    return -ctypes.get_errno() if result < 0 else int(result)


def filtered(profile: dict[str, Any], action: Callable[[], object]) -> int:
    """Run `action` in a child under the filter of a profile."""
    filter = compile_filter(profile)

    def under_filter() -> None:
        syscalls.seccomp_set_filter(filter.program, filter.flags)
        action()

    return code_of(under_filter)


def about(name: str, action: str, **parts: Any) -> dict[str, Any]:
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [name], "action": action, **parts}]}


def expect(result: int, *arguments: Any) -> None:
    assert call(*arguments) == result, (arguments, result)


def test_a_refused_call_gets_the_errno_of_its_rule() -> None:
    assert filtered(about("getppid", "SCMP_ACT_ERRNO", errnoRet=61), lambda: expect(-61, "getppid")) == 0
    assert filtered(about("getppid", "SCMP_ACT_ERRNO"), lambda: expect(-errno.EPERM, "getppid")) == 0
    assert filtered(about("getppid", "SCMP_ACT_LOG"), lambda: expect(os.getppid(), "getppid")) == 0


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"])
def test_a_deadly_call_ends_with_sigsys(action: str) -> None:
    assert filtered(about("getppid", action), lambda: call("getppid")) == -signal.SIGSYS


def test_arguments_are_compared_in_all_their_64_bits() -> None:
    rule = {"args": [{"index": 1, "value": (3 << 32) + 5, "op": "SCMP_CMP_GE"}]}

    def ask() -> None:
        for value, refused in (((3 << 32) + 5, True), ((3 << 32) + 4, False), (4 << 32, True), (0xFFFFFFFF, False)):
            expect(-61 if refused else os.getppid(), "getppid", 0, value)

    assert filtered(about("getppid", "SCMP_ACT_ERRNO", errnoRet=61, **rule), ask) == 0


def test_dockers_profile_holds_an_ordinary_program_in() -> None:
    profile = seccomp_of(HostConfig(), DEFAULT_CAPABILITIES, probe())
    assert profile is not None
    filter = compiled(profile)

    def ask() -> None:
        syscalls.seccomp_set_filter(filter.program, filter.flags)
        expect(-errno.EPERM, "unshare", 0x10000000)
        expect(-errno.EPERM, "mount", 0, 0, 0, 0, 0)
        expect(-errno.EPERM, "add_key", 0, 0, 0, 0, 0)
        expect(-errno.EPERM, "clone", 0x10000000)
        expect(-errno.ENOSYS, "clone3", 0, 0)
        expect(-errno.EPERM, "socket", socket.AF_VSOCK, socket.SOCK_STREAM, 0)
        expect(-errno.ENOSYS, 5000)
        os.close(call("socket", socket.AF_UNIX, socket.SOCK_STREAM, 0))
        expect(-errno.EPERM, "personality", 0x0400000)
        assert call("personality", 0xFFFFFFFF) >= 0
        assert os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1] == 0

    assert code_of(ask) == 0


def machine_code(code: bytes) -> Callable[[], int]:
    """A function of bytes of machine code, in memory that the process keeps."""
    area = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    area.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(area))
    function = ctypes.CFUNCTYPE(ctypes.c_int)(address)
    return lambda: area and function()


def getppid_of_i386() -> int:
    # push rbx; mov eax, 64; int 0x80; pop rbx; ret
    return machine_code(b"\x53\xb8\x40\0\0\0\xcd\x80\x5b\xc3")()


@on_x86_64
def test_calls_of_another_abi_are_decided_by_their_own_numbers() -> None:
    if code_of(lambda: os._exit(0 if getppid_of_i386() == os.getppid() else SKIP)) != 0:
        pytest.skip("the kernel runs no i386 code")
    refused = about("getppid", "SCMP_ACT_ERRNO", errnoRet=61)

    def ask(expected: int) -> None:
        assert getppid_of_i386() == expected

    # Not listed: killed. Listed: 64 is semget on x86_64, but getppid here.
    assert filtered(refused, getppid_of_i386) == -signal.SIGSYS
    assert filtered(refused | {"architectures": ["SCMP_ARCH_X86"]}, lambda: ask(-61)) == 0
    other = about("semget", "SCMP_ACT_ERRNO")
    assert filtered(other | {"architectures": ["SCMP_ARCH_X86"]}, lambda: ask(os.getppid())) == 0


@on_x86_64
def test_x32_is_killed_unless_it_is_listed() -> None:
    refused = about("getppid", "SCMP_ACT_ERRNO", errnoRet=61)
    x32 = 0x40000000 + numbers("x32")["getppid"]
    assert filtered(refused, lambda: call(x32)) == -signal.SIGSYS
    assert filtered(refused | {"architectures": ["SCMP_ARCH_X32"]}, lambda: expect(-61, x32)) == 0


def test_a_listener_answers_for_the_kernel() -> None:
    filter = compile_filter(about("getppid", "SCMP_ACT_NOTIFY"))
    assert filter.needs_listener
    ours, theirs = socket.socketpair()

    def ask() -> None:
        listener_fd = syscalls.seccomp_set_filter(filter.program, filter.flags)
        socket.send_fds(theirs, [b"x"], [listener_fd])
        os.close(listener_fd)
        expect(-errno.ENOANO, "getppid")

    pid = fork(ask)
    theirs.close()
    ours.settimeout(10)
    try:
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        request = bytearray(NOTIF)
        fcntl.ioctl(fds[0], NOTIF_RECV, request)
        id, asker, _ = struct.unpack_from("=QII", request)
        number = DATA.unpack_from(request, 16)[0]
        assert (asker, number) == (pid, numbers(platform.machine())["getppid"])
        fcntl.ioctl(fds[0], NOTIF_SEND, bytearray(RESPONSE.pack(id, 0, -errno.ENOANO, 0)))
        os.close(fds[0])
    finally:
        ours.close()
        assert ended_with(pid) == 0


def test_the_largest_filter_that_we_make_is_one_that_the_kernel_takes() -> None:
    values = [{"index": 0, "value": number * 3, "op": "SCMP_CMP_EQ"} for number in range(1500)]
    rules = [{"names": ["getppid"], "action": "SCMP_ACT_ERRNO", "args": [value]} for value in values]
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}

    def ask() -> None:
        expect(-errno.EPERM, "getppid", 4497)
        expect(os.getppid(), "getppid", 4498)

    assert len(compile_filter(profile).program) // 8 > 1500
    assert filtered(profile, ask) == 0
