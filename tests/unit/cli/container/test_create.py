import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.scripted_engine import Reply, Request, ScriptedEngine, refuse, reply_json

Sampan = Callable[..., tuple[int, str, str]]


def created(request: Request) -> Reply:
    return reply_json({"Id": "c" * 64, "Warnings": ["careful"]}, 201)


def test_the_id_goes_to_stdout_and_warnings_to_stderr(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, created) as engine:
        words = ("create", "--name", "web", "--platform", "linux/amd64", "box", "sh", "-c", "x")
        assert sampan("-H", engine.url, *words) == (0, "c" * 64 + "\n", "WARNING: careful\n")
    (request,) = [request for request in engine.requests if request.path == "/containers/create"]
    assert request.query == {"name": ["web"], "platform": ["linux/amd64"]}
    assert (request.json()["Image"], request.json()["Cmd"]) == ("box", ["sh", "-c", "x"])


def test_the_id_is_written_to_a_file_that_must_not_be_there(sampan: Sampan, tmp_path: Path) -> None:
    path = tmp_path / "cid"
    with ScriptedEngine(tmp_path, created) as engine:
        assert sampan("-H", engine.url, "create", "--cidfile", str(path), "box")[0] == 0
        assert path.read_text() == "c" * 64
        code, out, err = sampan("-H", engine.url, "create", "--cidfile", str(path), "box")
        assert (code, out) == (1, "")
        assert "container ID file found, make sure the other container isn't running or delete" in err
        code, _, err = sampan("-H", engine.url, "create", "--cidfile", str(tmp_path / "no" / "cid"), "box")
        assert code == 1
        assert "failed to create the container ID file" in err


@pytest.mark.parametrize(
    ("image", "name", "tag"),
    [("box", "box", "latest"), ("h:5/box:1", "h:5/box", "1"), ("box@sha256:0", "box", "sha256:0")],
)
def test_an_image_that_is_missing_is_pulled_and_the_creation_repeated(
    sampan: Sampan, tmp_path: Path, image: str, name: str, tag: str
) -> None:
    pulled = []

    def answer(request: Request) -> Reply:
        if request.path == "/images/create":
            pulled.append(request.query)
            return Reply(200, json.dumps({"status": "Pulled", "id": "x"}).encode())
        return created(request) if pulled else refuse(404, f"No such image: {image}")

    with ScriptedEngine(tmp_path, answer) as engine:
        code, out, err = sampan("-H", engine.url, "create", image)
    assert (code, out) == (0, "c" * 64 + "\n")
    assert f"Unable to find image '{name}" in err
    assert pulled == [{"fromImage": [name], "tag": [tag]}]


def test_with_pull_never_a_missing_image_is_an_error(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, lambda _: refuse(404, "No such image: box:latest")) as engine:
        code, out, err = sampan("-H", engine.url, "create", "--pull", "never", "box")
    assert (code, out) == (1, "")
    assert "No such image: box:latest" in err
    assert "/images/create" not in [request.path for request in engine.requests]


def test_a_wrong_flag_ends_with_125_before_anything_is_asked(sampan: Sampan) -> None:
    code, out, err = sampan("create", "--pull", "maybe", "box")
    assert (code, out) == (125, "")
    assert "invalid pull option: 'maybe'" in err
