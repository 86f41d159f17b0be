import pytest

from sampan.cli.system.events import line_of


def test_an_event_is_a_line_with_its_attributes_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    event = {
        "Type": "container",
        "Action": "die",
        "Actor": {"ID": "abc", "Attributes": {"name": "web", "exitCode": "3"}},
        "time": 1,
        "timeNano": 1_000_000_005,
    }
    assert line_of(event).endswith(":01.000000005Z container die abc (exitCode=3, name=web)") or "+" in line_of(event)
    del event["Actor"]
    assert line_of(event).endswith(" container die ")
