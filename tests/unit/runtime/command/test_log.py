import json
from typing import Any

import pytest

from sampan.errors import InvalidArgument
from sampan.runtime.command.log import Log, quote


def test_json_lines_have_level_message_and_time(tmp_path: Any) -> None:
    path = tmp_path / "log"
    log = Log(str(path), "json")
    log.warning("first")
    log.error('it "broke"\nbadly')
    first, last = (json.loads(line) for line in path.read_text().splitlines())
    assert first["level"] == "warning"
    assert {name: last[name] for name in ("level", "msg")} == {"level": "error", "msg": 'it "broke"\nbadly'}
    assert last["time"].endswith("Z") and "T" in last["time"]


def test_text_lines_are_logrus(tmp_path: Any) -> None:
    path = tmp_path / "log"
    Log(f"file:{path}", "text").error("two words")
    assert path.read_text().startswith('time="')
    assert path.read_text().endswith('" level=error msg="two words"\n')


def test_debug_is_written_when_wanted(tmp_path: Any) -> None:
    path = tmp_path / "log"
    Log(str(path)).debug("quiet")
    assert not path.exists()
    Log(str(path), debug=True).debug("loud")
    assert "level=debug msg=loud" in path.read_text()


def test_a_failure_reaches_standard_error_once(tmp_path: Any, capfd: pytest.CaptureFixture[str]) -> None:
    Log(str(tmp_path / "log"), "json").fatal("no luck")
    assert capfd.readouterr().err == "no luck\n"
    Log().fatal("no luck")
    assert capfd.readouterr().err.count("no luck") == 1


def test_a_log_that_cannot_be_written_does_not_hide_the_failure(
    tmp_path: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    Log(str(tmp_path / "nowhere" / "log")).error("no luck")
    assert "no luck" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain-word.1/x@y", "plain-word.1/x@y"),
        ("", '""'),
        ("a b", '"a b"'),
        ('say "x"\\', '"say \\"x\\"\\\\"'),
        ("a\nb\tc\x01", '"a\\nb\\tc\\x01"'),
        ("é ü", '"é ü"'),
        ("\udcff!", '"\\xff!"'),
    ],
)
def test_values_are_quoted_as_go_quotes(given: str, shown: str) -> None:
    assert quote(given) == shown


def test_unknown_formats_and_targets_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="invalid log-format: foo"):
        Log("", "foo")
    with pytest.raises(InvalidArgument, match="unknown log type specified: `invalid`"):
        Log("invalid:/path")


def test_a_relative_path_is_one_of_the_first_directory(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    logs = Log("a"), Log("file:b")
    monkeypatch.chdir("/")
    for log in logs:
        log.error("x")
    assert (tmp_path / "a").exists() and (tmp_path / "b").exists()


def test_a_path_may_have_a_colon(tmp_path: Any) -> None:
    Log(f"{tmp_path}/a:b").error("x")
    assert (tmp_path / "a:b").exists()
