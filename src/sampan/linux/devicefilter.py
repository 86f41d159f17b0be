"""A cgroup's device rules as a BPF program (bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE), for control groups version 2.

Input       struct bpf_cgroup_dev_ctx: access_type (type in the low, access in the high 16 bits), major, minor.
Meaning     The last rule that matches decides; without a match access is refused. Rules are therefore tested from the
            last to the first, and the first that matches returns.
Ours        A cgroup may carry several programs (BPF_F_ALLOW_MULTI), and those of the cgroups above are asked too: a
            device must be allowed by all. The one of ours is known by its name, so that it can be replaced, in one
            step and without a moment in which there is none, and others (systemd's) are left alone.
Errors      ValueError for a rule that cannot be read; OSError of bpf(2).
"""

import ctypes
import errno
import os
import struct

BPF_PROG_LOAD = 5
BPF_PROG_ATTACH = 8
BPF_PROG_GET_FD_BY_ID = 13
BPF_OBJ_GET_INFO_BY_FD = 15
BPF_PROG_QUERY = 16
BPF_PROG_TYPE_CGROUP_DEVICE = 15
BPF_CGROUP_DEVICE = 6
BPF_F_ALLOW_MULTI = 2
BPF_F_REPLACE = 4  # since 5.6
_NUMBERS = {"x86_64": 321, "aarch64": 280}

_TYPES = {"b": 1, "c": 2, "u": 2}
_ACCESS = {"m": 1, "r": 2, "w": 4}

NAME = b"sampan_devices"  # at most 15 characters
_INFO_NAME = slice(64, 80)  # of struct bpf_prog_info, char name[BPF_OBJ_NAME_LEN]
_MOST_PROGRAMS = 64  # BPF_CGROUP_MAX_PROGS

# Opcodes (Documentation/bpf/standardization/instruction-set.rst).
_LDX_W = 0x61
_AND32_K = 0x54
_RSH32_K = 0x74
_MOV32_X = 0xBC
_MOV64_K = 0xB7
_JNE_K = 0x55
_JNE_X = 0x5D
_EXIT = 0x95

_libc = ctypes.CDLL(None, use_errno=True)

Rule = dict[str, "object"]


def _instruction(code: int, dst: int = 0, src: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("<BBhi", code, dst | src << 4, offset, value)


def compile_rules(rules: "list[Rule]") -> bytes:
    """The program for rules of runtime-spec, config-linux.md, "Allowed Device list"."""
    program = [
        _instruction(_LDX_W, 2, 1, 0),  # r2 = access_type
        _instruction(_MOV32_X, 3, 2),
        _instruction(_AND32_K, 2, value=0xFFFF),  # r2 = device type
        _instruction(_RSH32_K, 3, value=16),  # r3 = access wanted
        _instruction(_LDX_W, 4, 1, 4),  # r4 = major
        _instruction(_LDX_W, 5, 1, 8),  # r5 = minor
    ]
    for rule in reversed(rules):
        block = _block(rule)
        program += block
        if len(block) == 2:  # it matches everything: what follows is never reached, and the verifier refuses dead code
            return b"".join(program)
    program += [_instruction(_MOV64_K, 0, value=0), _instruction(_EXIT)]
    return b"".join(program)


def _block(rule: Rule) -> "list[bytes]":
    tests: list[tuple[bytes, int, int, int]] = []  # instructions before the jump, jump opcode, dst, src or value
    kind, access = str(rule.get("type") or "a"), str(rule.get("access") or "rwm")
    if kind not in ("a", *_TYPES) or not set(access) <= set(_ACCESS):
        raise ValueError(f"invalid device rule: type {kind!r}, access {access!r}")
    if kind != "a":
        tests.append((b"", _JNE_K, 2, _TYPES[kind]))
    wanted = sum(_ACCESS[letter] for letter in set(access))
    if wanted != 7:
        # What is asked for must be a subset of what the rule names.
        subset = _instruction(_MOV32_X, 1, 3) + _instruction(_AND32_K, 1, value=wanted)
        tests.append((subset, _JNE_X, 1, 3))
    for register, key in ((4, "major"), (5, "minor")):
        number = rule.get(key)
        if isinstance(number, int) and number >= 0:
            tests.append((b"", _JNE_K, register, number))
    tail = [_instruction(_MOV64_K, 0, value=int(bool(rule.get("allow")))), _instruction(_EXIT)]
    block: list[bytes] = tail
    for before, code, dst, operand in reversed(tests):
        skip = len(block)
        jump = _instruction(code, dst, operand, skip) if code == _JNE_X else _instruction(code, dst, 0, skip, operand)
        block = [before[i : i + 8] for i in range(0, len(before), 8)] + [jump, *block]
    return block


def _bpf(command: int, attr: bytes) -> int:
    return _bpf_in_place(command, ctypes.create_string_buffer(attr, 128))


def _bpf_in_place(command: int, attr: "ctypes.Array[ctypes.c_char]") -> int:
    # The answer to some commands is in `attr`.
    while True:
        result: int = _libc.syscall(_NUMBERS[os.uname().machine], command, attr, ctypes.c_long(128))
        if result >= 0:
            return result
        number = ctypes.get_errno()
        if number not in (errno.EINTR, errno.EAGAIN):
            raise OSError(number, f"bpf: {os.strerror(number)}")


def load(rules: "list[Rule]") -> int:
    """The program for `rules` in the kernel, as a descriptor. Needs CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN."""
    program = compile_rules(rules)
    code, licence = ctypes.create_string_buffer(program, len(program)), ctypes.create_string_buffer(b"Apache-2.0")
    address = [ctypes.addressof(code), ctypes.addressof(licence)]
    # union bpf_attr: prog_type, insn_cnt, insns, license, log_level, log_size, log_buf, kern_version, prog_flags, name
    attr = struct.pack("=IIQQIIQII16s", BPF_PROG_TYPE_CGROUP_DEVICE, len(program) // 8, *address, 0, 0, 0, 0, 0, NAME)
    return _bpf(BPF_PROG_LOAD, attr)


def attach(folder: str, rules: "list[Rule]", *, replace: bool = False) -> None:
    """Let `rules` decide in the cgroup directory `folder`; with `replace` in the place of those attached before."""
    loaded = load(rules)
    target = -1
    old: list[int] = []
    try:
        target = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        old = _attached(target) if replace else []
        flags = BPF_F_ALLOW_MULTI | (BPF_F_REPLACE if old else 0)
        # target_fd, attach_bpf_fd, attach_type, attach_flags, replace_bpf_fd
        packed = struct.pack("=IIIII", target, loaded, BPF_CGROUP_DEVICE, flags, old[0] if old else 0)
        _bpf(BPF_PROG_ATTACH, packed)
    finally:
        for fd in (loaded, target, *old):
            if fd >= 0:
                os.close(fd)


def _attached(target_fd: int) -> "list[int]":
    """Descriptors of our programs on a cgroup: at most one."""
    ids = (ctypes.c_uint32 * _MOST_PROGRAMS)()
    # target_fd, attach_type, query_flags, attach_flags, prog_ids, prog_cnt
    query = ctypes.create_string_buffer(
        struct.pack("=IIIIQI", target_fd, BPF_CGROUP_DEVICE, 0, 0, ctypes.addressof(ids), _MOST_PROGRAMS), 128
    )
    _bpf_in_place(BPF_PROG_QUERY, query)
    count: int = struct.unpack_from("=I", query.raw, 24)[0]
    found: list[int] = []
    for number in list(ids)[:count]:
        try:
            fd = _bpf(BPF_PROG_GET_FD_BY_ID, struct.pack("=I", number))
        except FileNotFoundError:
            continue  # detached in between
        if not found and _name(fd) == NAME:
            found.append(fd)
        else:
            os.close(fd)
    return found


def _name(program_fd: int) -> bytes:
    info = ctypes.create_string_buffer(256)
    # bpf_fd, info_len, info
    _bpf(BPF_OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", program_fd, 256, ctypes.addressof(info)))
    return info.raw[_INFO_NAME].rstrip(b"\0")
