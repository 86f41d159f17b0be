import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sampan.cli.image import archive
from support.scripted_engine import Reply, Request, ScriptedEngine, refuse, reply_json

Sampan = Callable[..., tuple[int, str, str]]
JSON = {"Content-Type": "application/json"}


def progress(*steps: dict[str, object]) -> Reply:
    return Reply(200, b"".join(json.dumps(step).encode() + b"\r\n" for step in steps), JSON)


def sent(engine: ScriptedEngine) -> Request:
    (request,) = [request for request in engine.requests if request.path.startswith("/images")]
    return request


def test_a_file_goes_through_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PIECE_BYTES", 4)
    (tmp_path / "a").write_bytes(b"0123456789")
    fd = os.open(tmp_path / "a", os.O_RDONLY)
    assert list(archive.pieces_of(fd)) == [b"0123", b"4567", b"89"]
    os.close(fd)


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ([], {"fromSrc": ["-"], "repo": [""]}),
        (["box:1"], {"fromSrc": ["-"], "repo": ["box:1"]}),
        (
            ["-m", "why", "-c", "CMD a", "-c", "USER b", "--platform", "linux/arm64", "box"],
            {
                "fromSrc": ["-"],
                "repo": ["box"],
                "message": ["why"],
                "changes": ["CMD a", "USER b"],
                "platform": ["linux/arm64"],
            },
        ),
    ],
)
def test_an_import_sends_the_file_and_prints_the_id(
    sampan: Sampan, tmp_path: Path, words: list[str], query: dict[str, list[str]]
) -> None:
    path = tmp_path / "root.tar"
    path.write_bytes(b"an archive")
    flags, names = (words[:-1], words[-1:]) if words else ([], [])
    with ScriptedEngine(tmp_path, lambda _: progress({"status": "sha256:1"})) as engine:
        assert sampan("-H", engine.url, "import", *flags, str(path), *names) == (0, "sha256:1\n", "")
    request = sent(engine)
    assert (request.method, request.path, request.body) == ("POST", "/images/create", b"an archive")
    assert request.query == query


def test_an_address_is_the_engines_to_read(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, lambda _: progress({"status": "sha256:1"})) as engine:
        assert sampan("-H", engine.url, "import", "https://host/root.tar", "box") == (0, "sha256:1\n", "")
    assert sent(engine).query == {"fromSrc": ["https://host/root.tar"], "repo": ["box"]}
    assert sent(engine).body == b""


@pytest.mark.parametrize("words", [("import",), ("load", "-i")])
def test_a_file_that_is_not_there_is_told_before_anything_is_asked(
    sampan: Sampan, tmp_path: Path, words: tuple[str, ...]
) -> None:
    code, out, err = sampan(*words, f"{tmp_path}/none.tar")
    assert (code, out) == (1, "")
    assert f"open {tmp_path}/none.tar: no such file or directory" in err


def test_a_load_sends_the_file_and_shows_what_was_loaded(sampan: Sampan, tmp_path: Path) -> None:
    path = tmp_path / "box.tar"
    path.write_bytes(b"an archive")
    steps = (
        {"status": "Loading layer", "progressDetail": {"current": 1, "total": 2}, "id": "ab"},
        {"status": "Done", "id": "ab"},
        {"stream": "Loaded image: box:1\n"},
    )
    with ScriptedEngine(tmp_path, lambda _: progress(*steps)) as engine:
        out = "ab: Done\nLoaded image: box:1\n"
        assert sampan("-H", engine.url, "load", "-i", str(path)) == (0, out, "")
    request = sent(engine)
    assert (request.path, request.query, request.body) == ("/images/load", {"quiet": ["1"]}, b"an archive")


def test_an_error_among_the_messages_is_the_commands(sampan: Sampan, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    steps = ({"stream": "begun\n"}, {"error": "no such archive", "errorDetail": {"message": "no such archive"}})
    with ScriptedEngine(tmp_path, lambda _: progress(*steps)) as engine:
        code, out, err = sampan("-H", engine.url, "load", "-i", str(tmp_path / "a"))
    assert (code, out) == (1, "begun\n")
    assert "no such archive" in err


def test_an_answer_that_is_no_json_is_shown_as_it_is(sampan: Sampan, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with ScriptedEngine(tmp_path, lambda _: Reply(200, b"loaded it\n", {"Content-Type": "text/plain"})) as engine:
        assert sampan("-H", engine.url, "load", "-i", str(tmp_path / "a")) == (0, "loaded it\n", "")


@pytest.mark.parametrize("words", [("load", "--platform", "linux/arm64", "-i"), ("save", "--platform", "linux/arm64")])
def test_a_platform_is_passed_on(sampan: Sampan, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "a").touch()
    with ScriptedEngine(tmp_path, lambda _: reply_json({"stream": ""})) as engine:
        assert sampan("-H", engine.url, *words, str(tmp_path / "a"))[0] == 0
    assert json.loads(sent(engine).query["platform"][0]) == {"os": "linux", "architecture": "arm64"}


def test_images_are_saved_to_standard_output(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, lambda _: Reply(200, b"an archive")) as engine:
        assert sampan("-H", engine.url, "save", "a", "b:1") == (0, "an archive", "")
    assert (sent(engine).path, sent(engine).query) == ("/images/get", {"names": ["a", "b:1"]})


def test_a_file_is_replaced_by_a_whole_archive(sampan: Sampan, tmp_path: Path) -> None:
    path = tmp_path / "box.tar"
    path.write_bytes(b"the one before")
    with ScriptedEngine(tmp_path, lambda _: Reply(200, b"an archive")) as engine:
        assert sampan("-H", engine.url, "save", "-o", str(path), "box") == (0, "", "")
    assert path.read_bytes() == b"an archive"


@pytest.mark.parametrize(
    "reply",
    [
        refuse(404, "No such image: box"),
        Reply(200, b"5\r\nan ar\r\n", {"Transfer-Encoding": "chunked"}, lambda _: None),
    ],
    ids=["refused", "cut off"],
)
def test_a_file_stays_when_the_archive_does_not_come_whole(sampan: Sampan, tmp_path: Path, reply: Reply) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "box.tar").write_bytes(b"the one before")
    with ScriptedEngine(tmp_path, lambda _: reply) as engine:
        assert sampan("-H", engine.url, "save", "-o", str(folder / "box.tar"), "box")[0] == 1
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("box.tar", b"the one before")]


def test_a_device_is_written_to_and_not_replaced(sampan: Sampan, tmp_path: Path) -> None:
    reader_fd, writer_fd = os.pipe()
    with ScriptedEngine(tmp_path, lambda _: Reply(200, b"an archive")) as engine:
        assert sampan("-H", engine.url, "save", "-o", f"/dev/fd/{writer_fd}", "box") == (0, "", "")
    assert os.read(reader_fd, 100) == b"an archive"
    os.close(reader_fd)
    os.close(writer_fd)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none/box.tar", "failed to save image: invalid output path: stat {folder}/none: no such file or directory"),
        ("", "failed to save image: cannot write to a directory"),
    ],
)
def test_a_path_that_cannot_be_saved_to_is_told_before_anything_is_asked(
    sampan: Sampan, tmp_path: Path, name: str, message: str
) -> None:
    code, out, err = sampan("save", "-o", f"{tmp_path}/{name}", "box")
    assert (code, out) == (1, "")
    assert message.format(folder=tmp_path) in err
