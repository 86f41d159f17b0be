"""Device rules, worked out: what a list of them allows in the end, and how to get there from what is allowed now.

A DeviceSet is what version 1's devices controller can hold: all devices but some, or none but some. systemd's
DeviceAllow= can hold the second kind.

Meaning     Of the rules that match a device, the last one decides (runtime-spec 1.2, config-linux.md, "Allowed Device
            list"). Version 1 cannot hold "all of major 8 but 8:1": that is a CgroupError.
"""

import errno

from sampan.runtime.cgroup import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Key = tuple[str, int, int]  # "b" or "c", major, minor; ANY for all numbers

ANY = -1
_ALL = "rwm"

# What every container may use, whatever its config says: making any node (not opening it), and the usual ones
# ("Default Devices"), pseudo-terminals (136:*, 5:2) and tun (10:200).
DEFAULT = [
    ("c", ANY, ANY, "m"),
    ("b", ANY, ANY, "m"),
    ("c", 1, 3, _ALL),
    ("c", 1, 8, _ALL),
    ("c", 1, 7, _ALL),
    ("c", 5, 0, _ALL),
    ("c", 1, 5, _ALL),
    ("c", 1, 9, _ALL),
    ("c", 136, ANY, _ALL),
    ("c", 5, 2, _ALL),
    ("c", 10, 200, _ALL),
]


def with_default_devices(rules: "list[dict[str, Any]] | None") -> "list[dict[str, Any]]":
    """A config's rules with what comes before and after them: nothing is allowed at first, and the usual is at last."""
    found: list[dict[str, Any]] = [{"allow": False, "access": _ALL}] if not rules or rules[0].get("allow") else []
    found += rules or []
    for kind, major, minor, access in DEFAULT:
        found.append({"allow": True, "type": kind, "major": major, "minor": minor, "access": access})
    return found


class DeviceSet:
    """All devices (`allows_rest`) but `exceptions`, or none but these; an exception has a set of "r", "w", "m"."""

    __slots__ = ("allows_rest", "exceptions")

    def __init__(self, *, allows_rest: bool = False) -> None:
        self.allows_rest = allows_rest
        self.exceptions: dict[Key, frozenset[str]] = {}

    def apply(self, rule: "dict[str, Any]") -> None:
        """Take in one more rule."""
        kind, access = rule.get("type") or "a", frozenset(rule.get("access") or _ALL)
        if kind not in ("a", "b", "c", "u") or not access <= frozenset(_ALL):
            raise files.CgroupError(errno.EINVAL, f"invalid device rule: {files.device_rule_text(rule)}")
        major, minor = (ANY if rule.get(key) is None else int(rule[key]) for key in ("major", "minor"))
        allow = bool(rule.get("allow"))
        if kind == "a" and (major, minor) == (ANY, ANY) and access == frozenset(_ALL):
            self.allows_rest = allow
            self.exceptions = {}
            return
        for one in "bc" if kind == "a" else "c" if kind == "u" else kind:
            if allow != self.allows_rest:
                key = (one, major, minor)
                self.exceptions[key] = self.exceptions.get(key, frozenset()) | access
            else:
                self._take_back((one, major, minor), access)

    def _take_back(self, key: "Key", access: "frozenset[str]") -> None:
        for other, held in list(self.exceptions.items()):
            if _covers(key, other):
                self.exceptions[other] = held - access
                if not self.exceptions[other]:
                    del self.exceptions[other]
            elif _overlap(key, other) and held & access:
                text = f"device rules cannot make an exception {key} from {other} on cgroup v1"
                raise files.CgroupError(errno.EINVAL, text)


def _covers(wide: "Key", narrow: "Key") -> bool:
    return all(one in (ANY, other) for one, other in zip(wide, narrow, strict=True))


def _overlap(one: "Key", other: "Key") -> bool:
    return all(a == b or ANY in (a, b) for a, b in zip(one, other, strict=True))


def settle(rules: "list[dict[str, Any]]", *, allows_rest: bool = False) -> DeviceSet:
    """What a list of rules comes to."""
    found = DeviceSet(allows_rest=allows_rest)
    for rule in rules:
        found.apply(rule)
    return found


def parse_list(text: str) -> DeviceSet:
    """The set in a `devices.list` file. One that allows all but some shows as "a *:* rwm": the some are not told."""
    if text.startswith("a "):
        return DeviceSet(allows_rest=True)
    found = DeviceSet()
    for line in text.splitlines():
        kind, numbers, access = line.split()
        major, _, minor = numbers.partition(":")
        numbers_of = [ANY if number == "*" else int(number) for number in (major, minor)]
        found.exceptions[kind, numbers_of[0], numbers_of[1]] = frozenset(access)
    return found


def transition(current: str, rules: "list[dict[str, Any]]") -> "list[tuple[str, str]]":
    """The writes, (file, text), that lead from a `devices.list` ("": unknown) to what `rules` mean on version 1.

    What stays allowed is allowed at every moment, unless the kind of the set changes.
    """
    target = settle(rules)
    more, less = ("devices.deny", "devices.allow") if target.allows_rest else ("devices.allow", "devices.deny")
    now = parse_list(current)
    writes: list[tuple[str, str]] = []
    if not current or target.allows_rest or now.allows_rest:
        writes.append((less, "a *:* rwm"))
        now = DeviceSet(allows_rest=target.allows_rest)
    for file, wanted, held in ((more, target.exceptions, now.exceptions), (less, now.exceptions, target.exceptions)):
        for key, access in wanted.items():
            if missing := access - held.get(key, frozenset()):
                writes.append((file, f"{key[0]} {_number(key[1])}:{_number(key[2])} {letters(missing)}"))
    return writes


def letters(access: "frozenset[str]") -> str:
    """Permissions in the order that everybody writes them."""
    return "".join(letter for letter in _ALL if letter in access)


def _number(number: int) -> str:
    return "*" if number == ANY else str(number)
