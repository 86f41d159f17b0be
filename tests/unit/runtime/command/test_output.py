import json

from sampan.runtime.command.output import columns, indented


def test_indented_json_is_that_of_go() -> None:
    value = {"a": [1, {"b": None}], "c": {}, "d": [], "e": "ä\n"}
    assert indented(value) == json.dumps(value, indent=2, ensure_ascii=False)
    assert indented(value, indent="\t") == json.dumps(value, indent="\t", ensure_ascii=False)


def test_columns_are_as_wide_as_their_longest_cell_and_a_gap() -> None:
    assert columns([["ID", "PID", "OWNER"], ["a-rather-long-id", "7", "root"]]) == (
        "ID                 PID         OWNER\na-rather-long-id   7           root\n"
    )
