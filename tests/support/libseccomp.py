"""libseccomp as a witness: the filter that runc would have it make of a profile.

Only facts go in: names, actions, conditions. What libseccomp does not accept is an `OSError`.
"""

import ctypes
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ARCHITECTURES = {
    "SCMP_ARCH_X86_64": 0xC000003E,
    "SCMP_ARCH_X86": 0x40000003,
    "SCMP_ARCH_X32": 0x4000003E,
    "SCMP_ARCH_AARCH64": 0xC00000B7,
    "SCMP_ARCH_ARM": 0x40000028,
}
NATIVE = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
ACTIONS = {
    "SCMP_ACT_KILL": 0,
    "SCMP_ACT_KILL_THREAD": 0,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": 0x00050000,
    "SCMP_ACT_NOTIFY": 0x7FC00000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
}
OPERATORS = {name: number for number, name in enumerate("NE LT LE EQ GE GT MASKED_EQ".split(), 1)}
OPTIMIZE = 8  # SCMP_FLTATR_CTL_OPTIMIZE


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    ]


def _load() -> Any:
    library = ctypes.CDLL(os.environ.get("SAMPAN_TEST_LIBSECCOMP", "libseccomp.so.2"), use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = (ctypes.c_uint32,)
    library.seccomp_release.argtypes = (ctypes.c_void_p,)
    library.seccomp_release.restype = None
    library.seccomp_arch_add.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    library.seccomp_arch_remove.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    library.seccomp_attr_set.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32)
    library.seccomp_rule_add_array.argtypes = (
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(_Comparison),
    )
    library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.seccomp_syscall_resolve_name.argtypes = (ctypes.c_char_p,)
    library.seccomp_syscall_resolve_name_arch.argtypes = (ctypes.c_uint32, ctypes.c_char_p)
    return library


class Libseccomp:
    """The library of this machine."""

    def __init__(self) -> None:
        self._library = _load()

    def number(self, architecture: str, name: str) -> int:
        """Negative: not there, or known by a pseudo number only; -1: never heard of."""
        found: int = self._library.seccomp_syscall_resolve_name_arch(ARCHITECTURES[architecture], name.encode())
        return found

    def knows(self, name: str) -> bool:
        return bool(self._library.seccomp_syscall_resolve_name(name.encode()) != -1)

    def compile(self, profile: dict[str, Any], machine: str = "x86_64", *, optimize: bool = False) -> bytes:
        """The program, made as runc asks for it, for the ABI of another machine if need be."""
        default = action(profile["defaultAction"], profile.get("defaultErrnoRet"))
        with self._filter(default) as context:
            self._architectures(context, profile, machine)
            if optimize:
                _check(self._library.seccomp_attr_set(context, OPTIMIZE, 2))
            for call in profile["syscalls"]:
                verdict = action(call["action"], call.get("errnoRet"))
                for name in call["names"] if verdict != default else ():
                    self._add(context, name, verdict, call.get("args") or [])
            return self._exported(context)

    @contextmanager
    def _filter(self, default: int) -> Iterator[int]:
        context = self._library.seccomp_init(default)
        if not context:
            raise OSError("seccomp_init")
        try:
            yield context
        finally:
            self._library.seccomp_release(context)

    def _architectures(self, context: int, profile: dict[str, Any], machine: str) -> None:
        wanted = {NATIVE[machine], *(profile.get("architectures") or [])}
        for name in sorted(wanted):
            if name != NATIVE[os.uname().machine]:
                _check(self._library.seccomp_arch_add(context, ARCHITECTURES[name]))
        if NATIVE[os.uname().machine] not in wanted:
            _check(self._library.seccomp_arch_remove(context, ARCHITECTURES[NATIVE[os.uname().machine]]))

    def _add(self, context: int, name: str, verdict: int, arguments: list[dict[str, Any]]) -> None:
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number == -1:
            return
        comparisons = [
            _Comparison(
                each["index"], OPERATORS[each["op"].removeprefix("SCMP_CMP_")], each["value"], each.get("valueTwo", 0)
            )
            for each in arguments
        ]
        together = [comparisons]
        if len({each.arg for each in comparisons}) < len(comparisons):
            together = [[each] for each in comparisons]
        for some in together:
            array = (_Comparison * max(1, len(some)))(*some)
            _check(self._library.seccomp_rule_add_array(context, verdict, number, len(some), array))

    def _exported(self, context: int) -> bytes:
        with tempfile.TemporaryFile() as file:
            _check(self._library.seccomp_export_bpf(context, file.fileno()))
            file.seek(0)
            return file.read()


def action(name: str, errno: int | None) -> int:
    found = ACTIONS[name]
    if name in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"):
        found |= 1 if errno is None else errno
    return found


def _check(result: int) -> None:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
