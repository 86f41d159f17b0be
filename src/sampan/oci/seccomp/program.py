"""Classic BPF programs for seccomp(2): a graph of tests and verdicts, and its instructions.

A node is an int. A test may load a word of struct seccomp_data into the accumulator and mask it, then compares and goes
one of two ways; a verdict ends the program. Equal nodes are one node, so equal tails are shared.
Layout      Instructions are laid out from the end, each node before what it leads to: the kernel's jumps go forward
            only. A conditional jump reaches 255 instructions; what is farther is reached through a copy of the verdict
            or a long jump, placed when first needed and then shared.
Invariants  A node is made after the nodes it leads to, so numbers are an order for the layout.
Errors      InvalidArgument: more instructions than the kernel takes.
Spec        linux/filter.h, linux/bpf_common.h; seccomp(2). The fields of struct seccomp_data: nr at 0, arch at 4,
            instruction_pointer at 8, args from 16, 8 bytes each, here little-endian.
"""

import struct

from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    # (first number, what most of it leads to, single numbers in it that lead elsewhere)
    Group = tuple[int, int, list[tuple[int, int]]]

INSTRUCTIONS_MAX = 4096  # BPF_MAXINSNS
REACH = 255

LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
JUMP = 0x05  # BPF_JMP | BPF_JA
EQ = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
GT = 0x25
GE = 0x35
RETURN = 0x06  # BPF_RET | BPF_K

NR, ARCH, ARGS = 0, 4, 16


class Program:
    """The graph that grows, from its ends to its beginning."""

    __slots__ = ("_known", "_nodes")

    def __init__(self) -> None:
        self._nodes: list[tuple[int, ...]] = []
        self._known: dict[tuple[int, ...], int] = {}

    def verdict(self, action: int) -> int:
        """The end of a program: a SECCOMP_RET_* value."""
        return self._node((action,))

    def test(self, code: int, value: int, yes: int, no: int, *, word: int = -1, mask: int = -1) -> int:
        """Compare the accumulator; `word` is loaded before when not negative, and `mask` applied likewise."""
        if yes == no:
            return yes
        return self._node((word, mask, code, value, yes, no))

    def _node(self, node: "tuple[int, ...]") -> int:
        found = self._known.get(node)
        if found is None:
            found = self._known[node] = len(self._nodes)
            self._nodes.append(node)
        return found

    def search(self, runs: "list[tuple[int, int]]", *, word: int) -> int:
        """Where a 32-bit `word` lies among ordered runs of (first number, node), of which the first begins at 0."""
        merged = [runs[0]]
        for run in runs:
            if run[1] != merged[-1][1]:
                merged.append(run)
        groups = _groups(merged)
        return self._tree(groups, 0, len(groups), word)

    def _tree(self, groups: "list[Group]", low: int, high: int, word: int) -> int:
        """Binary search; only the first comparison loads the word."""
        if high - low > 1:
            middle = (low + high) // 2
            below, above = self._tree(groups, low, middle, -1), self._tree(groups, middle, high, -1)
            return self.test(GE, groups[middle][0], above, below, word=word)
        _, node, exceptions = groups[low]
        for place, (number, exception) in enumerate(exceptions, 1):
            node = self.test(EQ, number, exception, node, word=word if place == len(exceptions) else -1)
        return node

    def instructions(self, root: int) -> bytes:
        """An array of struct sock_filter that begins with `root`."""
        backwards: list[bytes] = []
        places: dict[int, int] = {}
        for node in sorted(self._reachable(root)):
            if len(self._nodes[node]) == 1:
                if node == root:
                    self._place(node, backwards, places)
                continue
            word, mask, code, value, yes, no = self._nodes[node]
            # Placing one may move the other out of reach.
            while far := [way for way in (yes, no) if len(backwards) - places.get(way, -REACH - 2) - 1 > REACH]:
                self._place(far[0], backwards, places)
            here = len(backwards) - 1
            backwards.append(_pack(code, here - places[yes], here - places[no], value))
            if mask >= 0:
                backwards.append(_pack(AND, 0, 0, mask))
            if word >= 0:
                backwards.append(_pack(LOAD, 0, 0, word))
            places[node] = len(backwards) - 1
        if len(backwards) > INSTRUCTIONS_MAX:
            raise InvalidArgument(
                f"the seccomp profile makes a filter of {len(backwards)} instructions,"
                f" the kernel takes {INSTRUCTIONS_MAX}"
            )
        return b"".join(reversed(backwards))

    def _place(self, node: int, backwards: "list[bytes]", places: "dict[int, int]") -> None:
        """Put something near that acts as `node`."""
        found = self._nodes[node]
        if len(found) == 1:
            backwards.append(_pack(RETURN, 0, 0, found[0]))
        else:
            backwards.append(_pack(JUMP, 0, 0, len(backwards) - places[node] - 1))
        places[node] = len(backwards) - 1

    def _reachable(self, root: int) -> "set[int]":
        found = {root}
        waiting = [root]
        while waiting:
            node = self._nodes[waiting.pop()]
            for way in node[4:]:
                if way not in found:
                    found.add(way)
                    waiting.append(way)
        return found


_pack = struct.Struct("=HBBI").pack

_EXCEPTIONS_MAX = 3


def _groups(runs: "list[tuple[int, int]]") -> "list[Group]":
    """Runs with single numbers taken out of their middle: one JEQ tells such a number where two JGE would be needed."""
    found: list[Group] = []
    place, count = 0, len(runs)
    while place < count:
        first, node = runs[place]
        exceptions: list[tuple[int, int]] = []
        place += 1
        while len(exceptions) < _EXCEPTIONS_MAX and place + 1 < count and runs[place + 1][1] == node:
            if runs[place + 1][0] != runs[place][0] + 1:
                break
            exceptions.append(runs[place])
            place += 2
        found.append((first, node, exceptions))
    return found
