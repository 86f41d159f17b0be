import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.client import jsontext
from sampan.errors import InvalidArgument

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(JSON)
def test_values_survive_both_ways(value: object) -> None:
    assert jsontext.loads(jsontext.dumps(value)) == value
    assert json.loads(jsontext.dumps(value)) == value
    assert jsontext.loads(json.dumps(value)) == value


@given(JSON, st.sampled_from([None, 1, 3]))
def test_indented_text_is_that_of_the_standard_library(value: object, spaces: int | None) -> None:
    text = json.dumps(value, indent=spaces, ensure_ascii=False)
    assert jsontext.indent(text, "    ") == json.dumps(value, indent=4, ensure_ascii=False)


def test_indenting_keeps_every_token_as_it_was_written() -> None:
    text = r'{"a":"\u003cx\"\\","b":1.50e+3,"c":[],"d":{ }}'
    shown = '{\n  "a": "\\u003cx\\"\\\\",\n  "b": 1.50e+3,\n  "c": [],\n  "d": {}\n}'
    assert jsontext.indent(text, "  ") == shown


@pytest.mark.parametrize("text", ["", "{", "[1,", "nope", '"a', "1 2", b"\xff\xfe{}"])
def test_what_is_not_one_value_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidArgument):
        jsontext.loads(text)


def test_a_stream_gives_values_however_its_bytes_are_cut() -> None:
    wire = '{"a":1}\r\n{"é":"\\n"}{"c":3}\n\n[4]'.encode()
    for step in (1, 2, 5, 100):
        pieces = (wire[at : at + step] for at in range(0, len(wire), step))
        assert list(jsontext.values(pieces)) == [{"a": 1}, {"é": "\n"}, {"c": 3}, [4]]


def test_keys_are_sorted_on_request() -> None:
    assert jsontext.dumps({"b": 1, "a": 2}, sort_keys=True) == '{"a":2,"b":1}'


def test_a_value_without_json_form_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="set has no JSON form"):
        jsontext.dumps({1, 2})
