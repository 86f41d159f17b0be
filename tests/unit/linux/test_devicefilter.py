import ctypes
import os
import struct
from pathlib import Path

import pytest

from sampan.linux import devicefilter


def decide(rules: list[devicefilter.Rule], kind: str, access: str, major: int, minor: int) -> bool:
    """Run a compiled program as the kernel would, on a small interpreter of the opcodes it uses."""
    program = devicefilter.compile_rules(rules)
    code = [struct.unpack_from("<BBhi", program, at) for at in range(0, len(program), 8)]
    wanted = sum({"m": 1, "r": 2, "w": 4}[letter] for letter in access)
    context = {0: {"b": 1, "c": 2}[kind] | wanted << 16, 4: major, 8: minor}
    registers, at = [0] * 10, 0
    while True:
        op, both, offset, value = code[at]
        dst, src = both & 15, both >> 4
        at += 1
        if op == 0x61:
            registers[dst] = context[offset]
        elif op == 0xBC:
            registers[dst] = registers[src]
        elif op == 0x54:
            registers[dst] &= value
        elif op == 0x74:
            registers[dst] >>= value
        elif op == 0xB7:
            registers[dst] = value
        elif op == 0x55:
            at += offset if registers[dst] != value else 0
        elif op == 0x5D:
            at += offset if registers[dst] != registers[src] else 0
        else:
            assert op == 0x95
            return bool(registers[0])


DENY_ALL: devicefilter.Rule = {"allow": False}


def test_without_a_rule_nothing_is_allowed() -> None:
    assert not decide([], "c", "r", 1, 3)


def test_the_last_matching_rule_decides() -> None:
    rules: list[devicefilter.Rule] = [DENY_ALL, {"allow": True, "type": "c", "major": 1, "minor": 3}]
    assert decide(rules, "c", "rw", 1, 3)
    assert not decide(rules, "c", "rw", 1, 5)
    assert not decide(rules, "b", "rw", 1, 3)
    assert not decide([*rules, {"allow": False, "type": "c", "major": 1}], "c", "r", 1, 3)


def test_access_must_be_within_what_the_rule_names() -> None:
    rules: list[devicefilter.Rule] = [DENY_ALL, {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "rm"}]
    assert decide(rules, "c", "r", 1, 5)
    assert not decide(rules, "c", "rw", 1, 5)


def test_wildcards_match_every_number() -> None:
    rules: list[devicefilter.Rule] = [DENY_ALL, {"allow": True, "type": "c", "major": 136, "minor": -1}]
    assert decide(rules, "c", "rw", 136, 9)
    assert not decide(rules, "c", "rw", 137, 9)


def test_a_rule_for_everything_ends_the_program() -> None:
    rules: list[devicefilter.Rule] = [{"allow": True, "type": "c", "major": 1, "minor": 3}, {"allow": True}]
    assert decide(rules, "b", "rwm", 8, 0)
    assert len(devicefilter.compile_rules(rules)) == 8 * 8


@pytest.mark.parametrize("rule", [{"type": "p"}, {"type": "c", "access": "rx"}])
def test_a_rule_that_cannot_be_read_is_named(rule: devicefilter.Rule) -> None:
    with pytest.raises(ValueError, match="invalid device rule"):
        devicefilter.compile_rules([rule])


def test_its_name_fits_the_kernels_field() -> None:
    assert len(devicefilter.NAME) <= 15


class Kernel:
    """The commands of bpf(2) on one cgroup, as the driver of the tests sees them; descriptors are real ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *attached: bytes) -> None:
        self.names = dict(enumerate(attached, 1))
        self.by_fd: dict[int, bytes] = {}
        self.attached: list[tuple[int, int]] = []
        monkeypatch.setattr(devicefilter, "_bpf", lambda command, attr: self.call(command, bytearray(attr)))
        monkeypatch.setattr(devicefilter, "_bpf_in_place", self.query)

    def open(self, name: bytes) -> int:
        fd = os.open("/dev/null", os.O_RDONLY)
        self.by_fd[fd] = name
        return fd

    def query(self, command: int, attr: "ctypes.Array[ctypes.c_char]") -> int:
        assert command == devicefilter.BPF_PROG_QUERY
        address = struct.unpack_from("=Q", attr.raw, 16)[0]
        ids = (ctypes.c_uint32 * len(self.names))(*self.names)
        ctypes.memmove(address, ids, ctypes.sizeof(ids))
        struct.pack_into("=I", attr, 24, len(self.names))
        return 0

    def call(self, command: int, attr: bytearray) -> int:
        if command == devicefilter.BPF_PROG_LOAD:
            return self.open(bytes(attr[48:64]).rstrip(b"\0"))
        if command == devicefilter.BPF_PROG_GET_FD_BY_ID:
            return self.open(self.names[struct.unpack_from("=I", attr)[0]])
        if command == devicefilter.BPF_OBJ_GET_INFO_BY_FD:
            fd, _, address = struct.unpack_from("=IIQ", attr)
            ctypes.memmove(address + 64, self.by_fd[fd], len(self.by_fd[fd]))
            return 0
        assert command == devicefilter.BPF_PROG_ATTACH
        _, _, _, flags, replaced = struct.unpack_from("=IIIII", attr)
        self.attached.append((flags, replaced))
        return 0


def test_the_first_filter_is_added(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kernel = Kernel(monkeypatch, b"sd_devices")
    devicefilter.attach(str(tmp_path), [DENY_ALL])
    devicefilter.attach(str(tmp_path), [DENY_ALL], replace=True)  # there is none of ours
    assert kernel.attached == [(devicefilter.BPF_F_ALLOW_MULTI, 0)] * 2


def test_only_our_own_filter_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kernel = Kernel(monkeypatch, b"sd_devices", devicefilter.NAME)
    before = len(os.listdir("/proc/self/fd"))
    devicefilter.attach(str(tmp_path), [DENY_ALL], replace=True)
    [(flags, replaced)] = kernel.attached
    assert flags == devicefilter.BPF_F_ALLOW_MULTI | devicefilter.BPF_F_REPLACE
    assert kernel.by_fd[replaced] == devicefilter.NAME
    assert len(os.listdir("/proc/self/fd")) == before
