import struct

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
