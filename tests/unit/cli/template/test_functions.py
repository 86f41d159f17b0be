from typing import Any

import pytest

from sampan.cli.template.functions import FUNCTIONS, HEADING_FUNCTIONS, MISSING, Fields, NilList, shown
from sampan.errors import InvalidArgument


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (True, "true"),
        (None, "<no value>"),
        (MISSING, "<no value>"),
        (1.0, "1"),
        (1.5, "1.5"),
        ({"b": None, "a": [1, "x"]}, "map[a:[1 x] b:<nil>]"),
        (NilList(), "[]"),
    ],
)
def test_values_print_as_go_prints_them(value: Any, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("len", ["é"], 2),
        ("index", [{"a": [1, 2]}, "a", 1], 2),
        ("index", [{}, "a"], MISSING),
        ("slice", ["abcdef", 1, 3], "bc"),
        ("slice", [[1, 2, 3], 1], [2, 3]),
        ("join", [["a", 1], "-"], "a-1"),
        ("split", ["a,b", ","], ["a", "b"]),
        ("title", ["two words"], "Two Words"),
        ("pad", ["x", 1, 2], " x  "),
        ("pad", ["", 1, 2], ""),
        ("truncate", ["abc", 2], "ab"),
        ("print", [1, 2, "a", 3], "1 2a3"),
        ("println", ["a", 1], "a 1\n"),
        ("printf", ["%d%%", 5], "5%"),
        ("printf", ["%d"], "%!d(MISSING)"),
        ("printf", ["x", 1], "x%!(EXTRA 1)"),
        ("printf", ["%d", "a"], "%!d(a)"),
        ("printf", ["%X", "az"], "617A"),
        ("printf", ["%b", 5], "101"),
        ("eq", [1, 2, 1], True),
        ("eq", [1, "1"], False),
        ("ne", [1, True], True),
        ("lt", [1, 2.5], True),
        ("ge", ["b", "a"], True),
        ("gt", [1, 1], False),
        ("le", [1, 1], True),
        ("not", [""], True),
        ("json", [NilList()], "null"),
        ("json", [MISSING], "null"),
    ],
)
def test_functions_do_what_gos_do(name: str, arguments: list[Any], result: Any) -> None:
    assert FUNCTIONS[name](*arguments) == result


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("len", [5], "error calling len: len of type int"),
        ("len", [None], "error calling len: len of nil pointer"),
        ("index", [[1], 1], "error calling index: index out of range: 1"),
        ("index", [[1], "a"], "error calling index: cannot index slice/array with type string"),
        ("index", [5, 0], "error calling index: index of untyped nil"),
        ("slice", ["abc", 2, 9], "error calling slice: index out of range: 9"),
        ("slice", [5], "error calling slice: can't slice item of this type"),
        ("lt", [1, "a"], "incompatible types for comparison"),
    ],
)
def test_wrong_arguments_are_refused_in_gos_words(name: str, arguments: list[Any], message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        FUNCTIONS[name](*arguments)
    assert str(caught.value) == message


def test_a_row_as_json_is_sorted_computed_and_without_what_is_hidden() -> None:
    row = Fields({"b": "<&>", "a": lambda: 1, "c": 2}, "kind", hidden=["c"])
    assert FUNCTIONS["json"](row).replace(" ", "") == '{"a":1,"b":"\\u003c\\u0026\\u003e"}'


def test_a_heading_passes_through_what_changes_values() -> None:
    assert HEADING_FUNCTIONS["upper"]("Names") == HEADING_FUNCTIONS["truncate"]("Names", 1) == "Names"
    assert HEADING_FUNCTIONS["len"]("Names") == 5
