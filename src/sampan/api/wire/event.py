"""An event on the wire: one JSON object for each line of `GET /events`."""

import msgspec

from sampan.api.wire.gojson import EMPTY_MAP, TEXT, Shape, pascal


class Actor(Shape, rename=pascal(id="ID")):
    id: str = TEXT
    attributes: dict[str, str] = EMPTY_MAP


def _event_name(name: str) -> str:
    return {"type": "Type", "action": "Action", "actor": "Actor", "from_": "from", "time_nano": "timeNano"}.get(
        name, name
    )


class Event(Shape, rename=_event_name):
    """`status`, `id` and `from_` repeat the action, the actor and the image for containers and images (API < 1.22)."""

    status: str = ""
    id: str = ""
    from_: str = ""
    type: str = TEXT
    action: str = TEXT
    actor: Actor = msgspec.field(default_factory=Actor)
    scope: str = ""
    time: int = 0
    time_nano: int = 0
