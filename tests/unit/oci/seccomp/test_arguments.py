"""Conditions on arguments are tested by halves, in libseccomp's order, and no more often than needed."""

import struct

import pytest

from sampan.oci.seccomp.arguments import ALL_ONES, decision, narrowed, ordered
from sampan.oci.seccomp.program import Program
from support.bpf import Machine, data

A, B, C, DEFAULT = 0x7FFF0000, 0x00050001, 0x00050002, 0
HIGH = 5 << 32


def compiled(rules: list[object], *, is_64_bit: bool = True) -> bytes:
    program = Program()
    root = decision(program, rules, DEFAULT, is_64_bit=is_64_bit)  # type: ignore[arg-type]
    return program.instructions(root)


def loads(program: bytes) -> int:
    return sum(code == 0x20 for code, _, _, _ in struct.iter_unpack("<HBBI", program))


@pytest.mark.parametrize("value", [0, 1, 7, 0xFFFFFFFF, 1 << 32, HIGH + 7, ALL_ONES, 1 << 63])
@pytest.mark.parametrize("operator", "EQ NE LT LE GT GE".split())
def test_comparisons_are_of_whole_numbers(operator: str, value: int) -> None:
    machine = Machine(compiled([(((2, operator, value, ALL_ONES),), A)]))
    near = {value, value - 1, value + 1, value ^ 1 << 32, value >> 32, value << 32, 0, ALL_ONES, value | 1 << 40}
    for has in {each & ALL_ONES for each in near}:
        holds = {
            "EQ": has == value,
            "NE": has != value,
            "LT": has < value,
            "LE": has <= value,
            "GT": has > value,
            "GE": has >= value,
        }[operator]
        assert machine.run(data(0, 0, (9, 9, has))) == (A if holds else DEFAULT), hex(has)


@pytest.mark.parametrize("mask", [1, 0xFF00, 1 << 32, (1 << 32) + 1, 0xFFFFFFFF, 0xFFFFFFFF << 32, ALL_ONES])
def test_masks_reach_the_half_that_they_are_of(mask: int) -> None:
    value = 0x1234567800FF1201 & mask
    machine = Machine(compiled([(((0, "MASKED_EQ", value, mask),), A)]))
    for has in (value, value ^ 1, value ^ 1 << 32, value ^ 0x100, value | 1 << 63, ~mask & ALL_ONES | value):
        assert machine.run(data(0, 0, (has,))) == (A if has & mask == value else DEFAULT)


def test_a_32_bit_abi_compares_low_halves_only() -> None:
    condition = narrowed((0, "EQ", HIGH + 7, ALL_ONES), is_64_bit=False)
    machine = Machine(compiled([((condition,), A)], is_64_bit=False))
    assert machine.run(data(0, 0, (7,))) == machine.run(data(0, 0, (HIGH + 7,))) == A
    assert machine.run(data(0, 0, (8,))) == DEFAULT


def test_a_mask_of_nothing_always_holds() -> None:
    assert narrowed((0, "MASKED_EQ", 7, 0), is_64_bit=True) is None
    assert narrowed((0, "MASKED_EQ", 7, 1 << 32), is_64_bit=False) is None
    assert narrowed((0, "MASKED_EQ", 7, 3), is_64_bit=True) == (0, "MASKED_EQ", 3, 3)


def test_all_conditions_of_a_rule_must_hold_and_one_rule_is_enough() -> None:
    both = (((0, "EQ", 1, ALL_ONES), (1, "GT", 5, ALL_ONES)), A)
    other = (((3, "EQ", 9, ALL_ONES),), A)
    machine = Machine(compiled([both, other]))
    assert machine.run(data(0, 0, (1, 6))) == A
    assert machine.run(data(0, 0, (1, 5))) == DEFAULT
    assert machine.run(data(0, 0, (2, 6))) == DEFAULT
    assert machine.run(data(0, 0, (1, 5, 0, 9))) == A


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (((1, "EQ", 1, ALL_ONES),), ((0, "EQ", 1, ALL_ONES),)),
        (((0, "EQ", 1, ALL_ONES),), ((0, "LE", 1, ALL_ONES),)),
        (((0, "LT", 9, ALL_ONES),), ((0, "GE", 1, ALL_ONES),)),
        (((0, "LT", 3, ALL_ONES),), ((0, "LT", 9, ALL_ONES),)),
        (((0, "GT", 9, ALL_ONES),), ((0, "GT", 3, ALL_ONES),)),
        (((0, "EQ", 1, ALL_ONES),), ((0, "EQ", 1, ALL_ONES), (1, "EQ", 1, ALL_ONES))),
    ],
    ids=["later argument", "equality", "less before more", "smaller bound", "greater bound", "fewer conditions"],
)
def test_what_is_narrower_is_tried_first_in_whatever_order_it_was_written(first: object, second: object) -> None:
    expected = [(first, A), (second, B)]
    assert ordered(expected, is_64_bit=True) == expected  # type: ignore[arg-type, comparison-overlap]
    assert ordered(expected[::-1], is_64_bit=True) == expected  # type: ignore[arg-type, comparison-overlap]


def test_rules_of_one_action_stay_as_they_are() -> None:
    rules = [(((0, "LE", 1, ALL_ONES),), A), (((0, "EQ", 1, ALL_ONES),), A)]
    assert ordered(rules, is_64_bit=True) is rules


def test_values_of_one_argument_are_looked_at_with_two_loads() -> None:
    rules = [(((0, "EQ", value, ALL_ONES),), A) for value in (0, 8, 0x20000, 0x20008, 0xFFFFFFFF)]
    program = compiled(rules)  # type: ignore[arg-type]
    assert loads(program) == 2
    assert len(program) // 8 == 2 + 6 + 2


def test_a_long_mixed_list_neither_explodes_nor_recurses() -> None:
    rules = [
        (
            ((number % 6, "EQ", number << 32 | number, ALL_ONES), ((number + 1) % 6, "GT", number << 20, ALL_ONES)),
            A + number % 2,
        )
        for number in range(300)
    ]
    rules = [(tuple(sorted(conditions)), action) for conditions, action in rules]
    assert len(compiled(rules)) // 8 < 300 * 12  # type: ignore[arg-type]
