import json

from sampan.api.wire.event import Actor, Event
from sampan.api.wire.gojson import encode


def test_an_event_is_spelled_as_docker_spells_it() -> None:
    event = Event(
        status="start",
        id="c1",
        from_="box",
        type="container",
        action="start",
        actor=Actor(id="c1", attributes={"name": "web"}),
        scope="local",
        time=1,
        time_nano=1_000_000_000,
    )
    assert json.loads(encode(event)) == {
        "status": "start",
        "id": "c1",
        "from": "box",
        "Type": "container",
        "Action": "start",
        "Actor": {"ID": "c1", "Attributes": {"name": "web"}},
        "scope": "local",
        "time": 1,
        "timeNano": 1_000_000_000,
    }


def test_the_fields_of_old_clients_are_left_out_of_other_events() -> None:
    written = json.loads(encode(Event(type="network", action="connect")))
    assert written == {"Type": "network", "Action": "connect", "Actor": {"ID": "", "Attributes": {}}}
