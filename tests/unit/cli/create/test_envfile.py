from pathlib import Path

import pytest

from sampan.cli.create import envfile
from sampan.errors import InvalidArgument


def test_a_file_of_variables_is_read_line_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "our value")
    monkeypatch.delenv("NOT_OURS", raising=False)
    path = tmp_path / "env"
    path.write_bytes(b"\xef\xbb\xbf# comment\nA=1 2\r\n  B=x=y \n\nOURS\nNOT_OURS\n")
    assert envfile.read([str(path)], fills_from_environment=True) == ["A=1 2", "B=x=y ", "OURS=our value"]
    assert envfile.read([str(path)], fills_from_environment=False)[-2:] == ["OURS", "NOT_OURS"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"=x", "no variable name on line '=x'"),
        (b"a b=c", "variable 'a b' contains whitespaces"),
        (b"\xff=1", "invalid utf8 bytes at line 1"),
    ],
)
def test_a_bad_line_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "env").write_bytes(text)
    with pytest.raises(InvalidArgument, match=message):
        envfile.read([str(tmp_path / "env")], fills_from_environment=True)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InvalidArgument, match="open /nonexistent/x: no such file or directory"):
        envfile.read(["/nonexistent/x"], fills_from_environment=True)


def test_a_bare_name_takes_our_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "v")
    monkeypatch.delenv("NOT_OURS", raising=False)
    assert envfile.resolve(["A=1", "OURS", "NOT_OURS"]) == ["A=1", "OURS=v", "NOT_OURS"]
