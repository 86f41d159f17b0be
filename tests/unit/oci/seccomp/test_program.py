"""Programs search, share and jump as they should; `support.bpf` runs them."""

import struct
from random import Random

import pytest

from sampan.errors import InvalidArgument
from sampan.oci.seccomp.program import ARGS, EQ, GE, INSTRUCTIONS_MAX, NR, Program
from support.bpf import Machine, data

ALLOW, KILL, TRAP = 0x7FFF0000, 0, 0x00030000


def decide(program: bytes, number: int, *arguments: int) -> int:
    return Machine(program).run(data(0, number, arguments))


def opcodes(program: bytes) -> list[int]:
    return [code for code, _, _, _ in struct.iter_unpack("<HBBI", program)]


def test_a_verdict_alone_is_a_program() -> None:
    program = Program()
    assert program.instructions(program.verdict(ALLOW)) == struct.pack("<HBBI", 6, 0, 0, ALLOW)


def test_equal_nodes_are_one_and_a_test_without_a_difference_is_none() -> None:
    program = Program()
    yes, no = program.verdict(ALLOW), program.verdict(KILL)
    assert program.verdict(ALLOW) == yes
    assert program.test(EQ, 1, yes, no, word=NR) == program.test(EQ, 1, yes, no, word=NR)
    assert program.test(EQ, 1, yes, yes, word=NR) == yes


def test_a_masked_word_is_loaded_masked_and_compared() -> None:
    program = Program()
    root = program.test(EQ, 4, program.verdict(ALLOW), program.verdict(KILL), word=ARGS, mask=6)
    code = program.instructions(root)
    assert decide(code, 0, 0xFD) == ALLOW
    assert decide(code, 0, 0xFF) == KILL


@pytest.mark.parametrize("seed", range(8))
def test_a_search_finds_the_run_of_every_number(seed: int) -> None:
    random, program = Random(seed), Program()
    verdicts = [program.verdict(action) for action in (ALLOW, KILL, TRAP)]
    starts = sorted({0, *(random.randrange(400) for _ in range(random.randint(1, 200))), 0x40000000})
    runs = [(start, random.choice(verdicts)) for start in starts]
    code = program.instructions(program.search(runs, word=NR))
    actions = dict(zip(verdicts, (ALLOW, KILL, TRAP), strict=True))
    for number in [*range(410), 0x3FFFFFFF, 0x40000000, 0xFFFFFFFF]:
        expected = next(node for start, node in reversed(runs) if start <= number)
        assert decide(code, number) == actions[expected], number


def test_a_single_number_in_a_run_costs_one_comparison() -> None:
    program = Program()
    allow, kill = program.verdict(ALLOW), program.verdict(KILL)
    code = program.instructions(program.search([(0, allow), (7, kill), (8, allow)], word=NR))
    assert opcodes(code) == [0x20, EQ, 6, 6]
    assert [decide(code, number) for number in (6, 7, 8)] == [ALLOW, KILL, ALLOW]


def test_a_binary_search_is_shallow() -> None:
    program = Program()
    verdicts = program.verdict(ALLOW), program.verdict(KILL)
    runs = [(10 * place, verdicts[place % 2]) for place in range(256)]
    code = program.instructions(program.search(runs, word=NR))
    assert opcodes(code).count(GE) == 255
    assert len(code) // 8 < 255 + 10


def test_far_ends_are_reached_by_copies_and_long_jumps() -> None:
    program = Program()
    far = program.test(EQ, 5, program.verdict(TRAP), program.verdict(KILL), word=ARGS)
    node = program.verdict(ALLOW)
    for number in range(1000):
        node = program.test(EQ, number, far, node, word=NR if number == 999 else -1)
    code = program.instructions(node)
    assert 5 in opcodes(code)
    assert decide(code, 0, 5) == decide(code, 999, 5) == TRAP
    assert decide(code, 500, 6) == KILL
    assert decide(code, 1000) == ALLOW


def test_what_the_kernel_would_not_take_is_refused_by_name_of_the_limit() -> None:
    program = Program()
    node = program.verdict(ALLOW)
    for number in range(INSTRUCTIONS_MAX):
        node = program.test(EQ, number, program.verdict(KILL), node)
    with pytest.raises(InvalidArgument, match=r"a filter of 41\d\d instructions, the kernel takes 4096"):
        program.instructions(node)


def test_what_nothing_leads_to_is_left_out() -> None:
    program = Program()
    program.test(EQ, 1, program.verdict(TRAP), program.verdict(KILL), word=NR)
    assert opcodes(program.instructions(program.verdict(ALLOW))) == [6]
