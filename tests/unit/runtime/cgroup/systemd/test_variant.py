from typing import Any

import pytest

from sampan.runtime.cgroup.systemd.variant import parse


@pytest.mark.parametrize(
    ("text", "signature", "value"),
    [
        ("true", "b", True),
        ("5", "i", 5),
        ("-0x10", "i", -16),
        ("1.5", "d", 1.5),
        ("uint64 30", "t", 30),
        ("double 3", "d", 3.0),
        ("'it is'", "s", "it is"),
        ('"a\\"b\\n\'"', "s", "a\"b\n'"),
        ("objectpath '/a'", "o", "/a"),
        ("['a', 'b']", "as", ["a", "b"]),
        ("[uint32 1, 2]", "au", [1, 2]),
        ("@as []", "as", []),
        ("@a(ss) [('a', 'b')]", "a(ss)", [("a", "b")]),
        ("[(1, 'x'), (2, 'y')]", "a(is)", [(1, "x"), (2, "y")]),
        ("(uint16 7,)", "(q)", (7,)),
        ("@(tas) (3, ['z'])", "(tas)", (3, ["z"])),
        ("<'boxed'>", "v", ("s", "boxed")),
        ("  true  ", "b", True),
        ("@ay [1, 255]", "ay", [1, 255]),
    ],
)
def test_a_text_becomes_a_value_with_its_signature(text: str, signature: str, value: Any) -> None:
    assert parse(text) == (signature, value)


@pytest.mark.parametrize(
    "text",
    ["", "yes", "'open", "[1, 'a']", "[]", "5 6", "uint64 x", "uint64 'a' b", "[1", "(1,2", "int32", "1 @", "true]"],
)
def test_what_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="cannot read"):
        parse(text)
