"""Every answer of a real engine fits our structures exactly: no name too many, none too few, in Docker's order."""

import json
import time
from typing import Any

import pytest

from conftest import Engine
from sampan.api.wire import container, event, system
from sampan.api.wire import image as image_shapes
from sampan.api.wire.exec import ExecInspect
from sampan.api.wire.gojson import Shape, decode, encode
from support.api import Api

pytestmark = pytest.mark.needs_root


@pytest.fixture
def api(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr("support.api.VERSION", "/v1.51")
    return Api(engine.socket_path)


def check(found: dict[str, Any], shape: type[Shape]) -> None:
    again = json.loads(encode(decode(json.dumps(found).encode(), shape)))
    assert again == found
    assert list(again) == list(found)


def test_containers_fit(api: Api, image: str, name: str) -> None:
    host = {"NetworkMode": "none", "Memory": 64 << 20, "Tmpfs": {"/t": "size=1m"}, "Init": False}
    made = api.create(image, "sleep", "60", name=name, host=host, Labels={"a": "b"}, StopTimeout=3)
    check(api.inspect(made), container.ContainerInspect)
    api.start(made)
    check(api.inspect(made), container.ContainerInspect)
    check(api("GET", f"/containers/{made}/json", size=1), container.ContainerInspect)
    for line in api("GET", "/containers/json", all=1, size=1, filters={"name": [name]}):
        check(line, container.ContainerSummary)


def test_execs_fit(api: Api, image: str, name: str) -> None:
    made = api.started(image, "sleep", "60", name=name)
    exec_id = api("POST", f"/containers/{made}/exec", {"Cmd": ["true"], "User": "0"})["Id"]
    check(api("GET", f"/exec/{exec_id}/json"), ExecInspect)


def test_images_fit(api: Api, image: str) -> None:
    check(api("GET", f"/images/{image}/json"), image_shapes.ImageInspect)
    for line in api("GET", "/images/json"):
        check(line, image_shapes.ImageSummary)
    for line in api("GET", f"/images/{image}/history"):
        check(line, image_shapes.HistoryItem)


def test_version_and_info_fit(api: Api) -> None:
    check(api("GET", "/version"), system.Version)
    check(api("GET", "/info"), system.Info)


def test_events_fit(api: Api, image: str, name: str) -> None:
    made = api.started(image, "true", name=name)
    api.wait(made)
    response = api.open("GET", "/events", since=0, until=str(time.time()), filters={"container": [made]})
    lines = response.read().splitlines()
    response.connection.close()  # type: ignore[attr-defined]
    assert lines
    for line in lines:
        check(json.loads(line), event.Event)
