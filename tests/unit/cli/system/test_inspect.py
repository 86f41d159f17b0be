import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.scripted_engine import Reply, Request, ScriptedEngine, refuse, reply_json

Sampan = Callable[..., tuple[int, str, str]]


def answer(request: Request) -> Reply:
    found = {
        "/containers/web/json": {"Id": "c1", "Name": "/web"},
        "/images/box/json": {"Id": "sha256:1"},
        "/networks/net": {"Id": "n1"},
    }.get(request.path)
    if found is not None:
        return reply_json(found)
    if request.path.startswith("/volumes"):
        return refuse(501, "GET /volumes/{id} is not available in this version of Sampan")
    if request.path.startswith(("/services", "/tasks", "/nodes", "/secrets", "/configs")):
        return refuse(503, "This node is not a swarm manager.")
    return refuse(404, "No such thing")


def test_whatever_has_the_name_is_shown_with_four_blanks(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, answer) as engine:
        code, out, err = sampan("-H", engine.url, "inspect", "web", "box", "net")
    assert (code, err) == (0, "")
    assert [found["Id"] for found in json.loads(out)] == ["c1", "sha256:1", "n1"]
    assert out.startswith('[\n    {\n        "Id": "c1",')


def test_a_name_that_nothing_has_fails_after_the_others_were_shown(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, answer) as engine:
        code, out, err = sampan("-H", engine.url, "inspect", "nope", "web")
    assert (code, [found["Id"] for found in json.loads(out)]) == (1, ["c1"])
    assert "No such object: nope" in err


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["--format", "{{.Name}}", "web"], "/web\n"),
        (["--format", "json", "web"], '[{"Id":"c1","Name":"/web"}]\n'),
        (["--type", "image", "--format", "{{.Id}}", "box"], "sha256:1\n"),
    ],
)
def test_a_format_is_used(sampan: Sampan, tmp_path: Path, words: list[str], out: str) -> None:
    with ScriptedEngine(tmp_path, answer) as engine:
        code, found, _ = sampan("-H", engine.url, "inspect", *words)
    assert (code, found.replace(", ", ",").replace(": ", ":")) == (0, out)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--type", "thing", "web"], 1, 'unknown type: "thing": must be one of "config", "container", '),
        (["--type", "", "web"], 1, "type is empty: must be one of"),
        (["--format", "{{.A", "web"], 64, "template parsing error: "),
    ],
)
def test_wrong_flags_are_told_before_anything_is_asked(
    sampan: Sampan, words: list[str], code: int, message: str
) -> None:
    found = sampan("inspect", *words)
    assert found[:2] == (code, "")
    assert message in found[2]


def test_the_platform_of_an_image_is_passed_on(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, answer) as engine:
        words = ("image", "inspect", "--platform", "linux/arm64/v8", "-f", "{{.Id}}", "box")
        assert sampan("-H", engine.url, *words) == (0, "sha256:1\n", "")
    (asked,) = [request for request in engine.requests if request.path == "/images/box/json"]
    assert json.loads(asked.query["platform"][0]) == {"os": "linux", "architecture": "arm64", "variant": "v8"}


def test_an_image_is_asked_for_without_a_platform_that_is_not_given(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, answer) as engine:
        assert sampan("-H", engine.url, "image", "inspect", "box")[0] == 0
    assert [request.query for request in engine.requests] == [{}]


def test_an_engine_that_would_overlook_the_platform_is_not_asked(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, answer, max_api="1.48") as engine:
        code, out, err = sampan("-H", engine.url, "image", "inspect", "--platform", "linux/amd64", "box")
    assert (code, out) == (1, "")
    assert '"--platform" requires API version 1.49, but the Sampan daemon API version is 1.48' in err
    assert [request.path for request in engine.requests] == ["/_ping"]


def test_a_platform_that_is_none_is_refused_before_anything_is_asked(sampan: Sampan) -> None:
    code, out, err = sampan("image", "inspect", "--platform", "a/b/c/d", "box")
    assert (code, out) == (1, "")
    assert "invalid platform" in err


@pytest.mark.parametrize(("words", "query"), [(["-s"], {"size": ["1"]}), ([], {})])
def test_a_containers_size_is_asked_for_on_demand(
    sampan: Sampan, tmp_path: Path, words: list[str], query: dict[str, list[str]]
) -> None:
    with ScriptedEngine(tmp_path, answer) as engine:
        assert sampan("-H", engine.url, "container", "inspect", *words, "web")[0] == 0
    assert [request.query for request in engine.requests] == [query]
