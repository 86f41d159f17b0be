"""Query parameters by Go's rules."""

import pytest

from sampan import errors
from sampan.api.server.query import Query, flag_filter


@pytest.mark.parametrize("text", ["", "0", "no", "false", "none", "False", " NO "])
def test_these_words_are_false(text: str) -> None:
    assert Query(f"a={text}").flag("a", default=True) is False


@pytest.mark.parametrize("text", ["1", "true", "yes", "x", "-1"])
def test_everything_else_is_true(text: str) -> None:
    assert Query(f"a={text}").flag("a") is True


def test_an_absent_flag_has_its_default() -> None:
    assert (Query("").flag("a"), Query("b=1").flag("a", default=True)) == (False, True)


def test_the_first_of_equal_names_counts_and_all_can_be_had() -> None:
    query = Query("a=1&a=2&b=%2F+x")
    assert (query.text("a"), query.texts("a"), query.text("b"), query.text("c", "d")) == ("1", ["1", "2"], "/ x", "d")
    assert "a" in query
    assert "c" not in query


@pytest.mark.parametrize(("text", "number"), [("5", 5), ("-1", -1), ("+7", 7), ("", None)])
def test_numbers_are_read_as_atoi_does(text: str, number: int | None) -> None:
    assert Query("n=" + text.replace("+", "%2B")).number("n") == number


@pytest.mark.parametrize(
    ("text", "reason"),
    [("1.5", "invalid syntax"), ("٣", "invalid syntax"), ("-", "invalid syntax"), ("9" * 20, "value out of range")],
)
def test_what_is_no_number_is_refused(text: str, reason: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=f'strconv.Atoi: parsing "{text}": {reason}'):
        Query(f"n={text}").number("n")


@pytest.mark.parametrize(("text", "instant_ns"), [("", None), ("0", 0), ("1.5", 1_500_000_000)])
def test_instants_are_nanoseconds(text: str, instant_ns: int | None) -> None:
    assert Query(f"since={text}").instant_ns("since") == instant_ns


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a":{"x":true,"y":true}}', {"a": ["x", "y"]}),
        ('{"a":["x"]}', {"a": ["x"]}),
        ('{"a":null}', {}),
        ("{}", {}),
        ("null", {}),
        ("", {}),
    ],
)
def test_filters_come_as_maps_of_maps_or_of_lists(text: str, found: dict[str, list[str]]) -> None:
    assert Query(f"filters={text}").filters(frozenset("a")) == found


@pytest.mark.parametrize("text", ["x", "[]", '{"a":5}', '{"a":[1]}', '{"a":{"x":1}}'])
def test_other_shapes_are_no_filters(text: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=r"^invalid filter$"):
        Query(f"filters={text}").filters(None)


@pytest.mark.parametrize(("values", "flag"), [(["1"], True), (["TRUE"], True), (["f"], False), ([], None)])
def test_a_filter_can_be_a_flag(values: list[str], flag: bool | None) -> None:
    assert flag_filter({"dangling": values}, "dangling") is flag


def test_a_flag_cannot_be_both() -> None:
    with pytest.raises(errors.InvalidArgument, match=r"invalid filter 'dangling=\[true false\]'"):
        flag_filter({"dangling": ["true", "false"]}, "dangling")
