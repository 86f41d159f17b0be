from pathlib import Path

import pytest

from sampan import errors
from sampan.client.engine import Engine
from sampan.client.hosts import parse_host
from support.scripted_engine import Reply, Request, ScriptedEngine, refuse, reply_json


def test_one_connection_serves_one_request_after_the_other(tmp_path: Path) -> None:
    with (
        ScriptedEngine(tmp_path, lambda request: reply_json({"path": request.path})) as fake,
        Engine(parse_host(fake.url)) as engine,
    ):
        assert engine.get("/a") == {"path": "/a"}
        assert engine.post("/b", {"x": "1"}, json={"k": "é"}) == {"path": "/b"}
        assert fake.connections == 1
        assert fake.requests[1].json() == {"k": "é"}
        assert fake.requests[1].query == {"x": ["1"]}
        assert fake.versions == ["1.51", "1.51"]


def test_a_request_beside_an_unread_response_gets_its_own_connection(tmp_path: Path) -> None:
    with (
        ScriptedEngine(tmp_path, lambda request: reply_json(request.path)) as fake,
        Engine(parse_host(fake.url)) as engine,
    ):
        waiting = engine.call("POST", "/wait")
        assert engine.get("/other") == "/other"
        assert waiting.read() == b'"/wait"'
        waiting.close()
        assert fake.connections == 2


def test_an_older_engine_is_spoken_to_in_its_version(tmp_path: Path) -> None:
    with (
        ScriptedEngine(tmp_path, lambda _: reply_json([]), max_api="1.44") as fake,
        Engine(parse_host(fake.url)) as engine,
    ):
        engine.get("/containers/json")
        engine.get("/containers/json")
        assert fake.versions == ["1.51", "1.44", "1.44"]


def test_an_upload_asks_for_the_version_first(tmp_path: Path) -> None:
    with (
        ScriptedEngine(tmp_path, lambda _: reply_json({}), max_api="1.44") as fake,
        Engine(parse_host(fake.url)) as engine,
    ):
        engine.call("POST", "/images/load", upload=iter([b"ab", b"cd"])).read()
        assert [request.path for request in fake.requests] == ["/_ping", "/images/load"]
        assert (fake.versions, fake.requests[1].body) == (["1.44"], b"abcd")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (304, errors.NotModified),
        (400, errors.InvalidArgument),
        (403, errors.PermissionDenied),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (500, errors.Internal),
        (501, errors.Unimplemented),
        (503, errors.Unavailable),
    ],
)
def test_a_refusal_has_the_class_of_its_status_and_dockers_words(
    tmp_path: Path, status: int, kind: type[errors.Error]
) -> None:
    with (
        ScriptedEngine(tmp_path, lambda _: refuse(status, "no such thing")) as fake,
        Engine(parse_host(fake.url)) as engine,
        pytest.raises(kind) as caught,
    ):
        engine.get("/x")
    if status != 304:
        assert str(caught.value) == "Error response from daemon: no such thing"


def test_a_refusal_without_json_shows_its_text(tmp_path: Path) -> None:
    def answer(_: Request) -> Reply:
        return Reply(404, b"page not found\n", {"Content-Type": "text/plain"})

    with (
        ScriptedEngine(tmp_path, answer) as fake,
        Engine(parse_host(fake.url)) as engine,
        pytest.raises(errors.NotFound, match=r"daemon: page not found$"),
    ):
        engine.get("/x")


def test_nothing_that_listens_is_said_in_dockers_words(tmp_path: Path) -> None:
    engine = Engine(parse_host(f"unix://{tmp_path}/none.sock"))
    message = f"Cannot connect to the Sampan daemon at unix://{tmp_path}/none.sock. Is the sampan daemon running?"
    with pytest.raises(errors.Unavailable) as caught:
        engine.get("/x")
    assert str(caught.value) == message


def test_what_starts_the_daemon_is_called_once_and_the_connection_tried_again(tmp_path: Path) -> None:
    started: list[ScriptedEngine] = []

    def start() -> None:
        started.append(ScriptedEngine(tmp_path, lambda _: reply_json("up")).__enter__())

    with Engine(parse_host(f"unix://{tmp_path}/engine.sock"), start=start) as engine:
        assert engine.get("/x") == "up"
    started[0].__exit__()
    with pytest.raises(errors.Unavailable, match="Cannot connect"):
        Engine(parse_host(f"unix://{tmp_path}/other.sock"), start=lambda: None).get("/x")
