"""Rules about the arguments of one system call, as tests.

A rule is (conditions, action): it matches when all its conditions hold. Of several, the first that matches decides, in
libseccomp's order (`ordered`); when none does, the filter's default.
Units       A condition is (index, operator, value, mask); `mask` is all ones but for MASKED_EQ. Registers are 64 bits
            and the accumulator 32, so on a 64-bit ABI each comparison is made of comparisons of halves.
"""

from sampan.oci.seccomp.program import ARGS, EQ, GE, GT, Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    Condition = tuple[int, str, int, int]
    Rule = tuple[tuple[Condition, ...], int]
    # (word, mask or -1, code, value, way when true, way when false); a way is a place in the list, or ~action.
    Test = tuple[int, int, int, int, int, int]
    # What is known of the high half last tested: (word, its value or -1, ((mask, code, value, outcome), ...)).
    Facts = tuple[int, int, tuple[tuple[int, int, int, bool], ...]]
    Level = tuple[tuple[int, int, int], tuple[int, str, int, int]]

ALL_ONES = (1 << 64) - 1
LOW = (1 << 32) - 1

_MATCH, _MISS = -1, -2  # ways in a condition's own tests, until the places around it are known
_SWAPPED = {"NE": "EQ", "LT": "GE", "LE": "GT"}
_PRECEDENCE = {"EQ": 3, "NE": 3, "MASKED_EQ": 3, "LT": 2, "LE": 2, "GT": 1, "GE": 1}
_NODE_KINDS = {"NE": "EQ", "LE": "GT", "LT": "GE"}


def narrowed(condition: "Condition", *, is_64_bit: bool) -> "Condition | None":
    """The condition as an ABI can test it; None when it always holds."""
    index, operator, value, mask = condition
    if not is_64_bit:
        value, mask = value & LOW, mask & LOW
    return (index, operator, value & mask, mask) if mask else None


def ordered(rules: "list[Rule]", *, is_64_bit: bool) -> "list[Rule]":
    """In the order in which libseccomp tries them: later arguments first, narrow comparisons before wide ones.

    Two rules of one action need no order. A rule that begins as another one, and then asks for more, comes after it.
    """
    if len({action for _, action in rules}) == 1:
        return rules
    return [rule for _, rule in _sorted_levels([(_levels(rule[0], is_64_bit), rule) for rule in rules])]


def _levels(conditions: "tuple[Condition, ...]", is_64_bit: bool) -> "list[Level]":
    """Half by half: (sort key, what is compared). Rules whose halves are compared alike stay together."""
    found = []
    for index, operator, value, mask in conditions:
        for half in (1, 0) if is_64_bit else (0,):
            part, part_mask = value >> 32 * half & LOW, mask >> 32 * half & LOW
            key = (2 * index + half, _PRECEDENCE[operator], -part if operator in ("LT", "LE") else part)
            kind = "GT" if half and operator in ("GT", "GE", "LT", "LE") else _NODE_KINDS.get(operator, operator)
            found.append((key, (2 * index + half, kind, part, part_mask)))
    return found


def _sorted_levels(entries: "list[tuple[list[Level], Rule]]") -> "list[tuple[list[Level], Rule]]":
    found = [entry for entry in entries if not entry[0]]
    alike: dict[tuple[int, str, int, int], list[tuple[list[Level], Rule]]] = {}
    keys: dict[tuple[int, str, int, int], tuple[int, int, int]] = {}
    for levels, rule in entries:
        if levels:
            key, compared = levels[0]
            keys.setdefault(compared, key)
            alike.setdefault(compared, []).append((levels[1:], rule))
    for compared in sorted(alike, key=keys.__getitem__, reverse=True):
        found += _sorted_levels(alike[compared])
    return found


def decision(program: Program, rules: "list[Rule]", default: int, *, is_64_bit: bool) -> int:
    """The node that decides by the arguments."""
    tests = _tests(rules, default, is_64_bit=is_64_bit)
    return _Lowering(program, tests).node()


def _tests(rules: "list[Rule]", default: int, *, is_64_bit: bool) -> "list[Test]":
    """All rules one after the other, ways resolved to places in the whole list."""
    found: list[Test] = []
    lowered = []
    place = 0
    for conditions, action in rules:
        parts = [_wide(condition) if is_64_bit else _narrow(condition) for condition in conditions]
        lowered.append((parts, action))
        place += sum(map(len, parts))
    count = place
    for parts, action in lowered:
        after = len(found) + sum(map(len, parts))
        miss = after if after < count else ~default
        for number, part in enumerate(parts, 1):
            start = len(found)
            match = ~action if number == len(parts) else start + len(part)
            for word, mask, code, value, yes, no in part:
                ways = [match if way == _MATCH else miss if way == _MISS else start + way for way in (yes, no)]
                found.append((word, mask, code, value, ways[0], ways[1]))
    return found


def _narrow(condition: "Condition") -> "list[Test]":
    index, operator, value, mask = condition
    yes, no = (_MISS, _MATCH) if operator in _SWAPPED else (_MATCH, _MISS)
    operator = _SWAPPED.get(operator, operator)
    code = {"GT": GT, "GE": GE}.get(operator, EQ)
    return [(ARGS + 8 * index, -1 if mask == LOW else mask, code, value, yes, no)]


def _wide(condition: "Condition") -> "list[Test]":
    index, operator, value, mask = condition
    low_word, high_word = ARGS + 8 * index, ARGS + 8 * index + 4
    low, high = value & LOW, value >> 32
    if operator == "MASKED_EQ":
        halves = [(low_word, mask & LOW, low), (high_word, mask >> 32, high)]
        used = [(word, -1 if part == LOW else part, EQ, wanted) for word, part, wanted in halves[::-1] if part]
        # The place after the last one is the match.
        return [(*test, place if place < len(used) else _MATCH, _MISS) for place, test in enumerate(used, 1)]
    yes, no = (_MISS, _MATCH) if operator in _SWAPPED else (_MATCH, _MISS)
    operator = _SWAPPED.get(operator, operator)
    if operator == "EQ":
        return [(high_word, -1, EQ, high, 1, no), (low_word, -1, EQ, low, yes, no)]
    code = GT if operator == "GT" else GE
    if high == 0:
        return [(high_word, -1, EQ, 0, 1, yes), (low_word, -1, code, low, yes, no)]
    return [
        (high_word, -1, GT, high, yes, 1),
        (high_word, -1, EQ, high, 2, no),
        (low_word, -1, code, low, yes, no),
    ]


class _Lowering:
    """Tests to nodes: a word that is in the accumulator already is not loaded, an outcome that is known not tested.

    A state is (place, facts, loaded): a test, met with some knowledge. Ways lead to later places only, so states sorted
    by place can be made from the last to the first.
    """

    __slots__ = ("_program", "_tests")

    def __init__(self, program: Program, tests: "list[Test]") -> None:
        self._program = program
        self._tests = tests

    def node(self) -> int:
        start = (0, None, (-1, -1))
        # Knowledge multiplies the states of a long list of mixed rules; without it each test is one state.
        edges = self._edges(start, limit=64 + 4 * len(self._tests)) or self._plain_edges()
        nodes: dict[State, int] = {}
        for state in sorted(edges, key=lambda state: -state[0]):
            yes, no = (self._program.verdict(~way[0]) if way[0] < 0 else nodes[way] for way in edges[state])
            word, mask, code, value, _, _ = self._tests[state[0]]
            if state[2] == (word, mask):
                word = mask = -1
            elif state[2] == (word, -1):
                word = -1
            nodes[state] = self._program.test(code, value, yes, no, word=word, mask=mask)
        return nodes[start]

    def _edges(self, start: "State", *, limit: int) -> "dict[State, tuple[State, State]] | None":
        edges: dict[State, tuple[State, State]] = {}
        waiting = [start]
        while waiting:
            state = waiting.pop()
            if state in edges:
                continue
            if len(edges) == limit:
                return None
            test = self._tests[state[0]]
            loaded = test[:2]
            edges[state] = (
                self._after(test[4], _learned(state[1], test, outcome=True), loaded),
                self._after(test[5], _learned(state[1], test, outcome=False), loaded),
            )
            waiting += [way for way in edges[state] if way[0] >= 0]
        return edges

    def _plain_edges(self) -> "dict[State, tuple[State, State]]":
        nothing = (-1, -1)
        return {
            (place, None, nothing): ((test[4], None, nothing), (test[5], None, nothing))
            for place, test in enumerate(self._tests)
        }

    def _after(self, place: int, facts: "Facts | None", loaded: "tuple[int, int]") -> "State":
        """The next test whose outcome is open."""
        while place >= 0:
            test = self._tests[place]
            outcome = _known(facts, test)
            if outcome is None:
                return place, facts, loaded
            place = test[4] if outcome else test[5]
        return place, None, (-1, -1)


def _known(facts: "Facts | None", test: "Test") -> "bool | None":
    word, mask, code, value = test[:4]
    if facts is None or facts[0] != word:
        return None
    if facts[1] >= 0:
        has = facts[1] & mask if mask >= 0 else facts[1]
        return has == value if code == EQ else has > value if code == GT else has >= value
    for known in facts[2]:
        if known[:3] == (mask, code, value):
            return known[3]
    return None


def _learned(facts: "Facts | None", test: "Test", *, outcome: bool) -> "Facts | None":
    """Knowledge of the high half of the argument last tested; more would make too many states."""
    word, mask, code, value = test[:4]
    if word % 8 == 0:
        return facts if facts is not None and facts[0] == word + 4 else None
    if outcome and code == EQ and mask < 0:
        return word, value, ()
    before = facts[2] if facts is not None and facts[0] == word else ()
    return word, -1, (*before, (mask, code, value, outcome))


if TYPE_CHECKING:
    State = tuple[int, Facts | None, tuple[int, int]]
