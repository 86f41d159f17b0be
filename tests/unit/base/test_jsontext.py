import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.base import jsontext

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_it_reads_and_writes_as_the_standard_package_does(value: object) -> None:
    assert jsontext.loads(jsontext.dumps(value)) == value
    assert json.loads(jsontext.dumps(value)) == value
    assert jsontext.loads(json.dumps(value, indent=1)) == value


def test_keys_can_be_sorted() -> None:
    assert jsontext.dumps({"b": 1, "a": [True, None]}, sort_keys=True) == '{"a":[true,null],"b":1}'


@pytest.mark.parametrize("text", ["", "{", '{"a":}', "1 2", "nope", b"\xff"])
def test_what_is_not_one_value_is_an_error(text: "str | bytes") -> None:
    with pytest.raises(ValueError):
        jsontext.loads(text)


def test_what_has_no_json_form_is_an_error() -> None:
    with pytest.raises(ValueError, match="set has no JSON form"):
        jsontext.dumps({"a": {1}})
