import json
from collections.abc import Callable
from pathlib import Path

from sampan import __version__
from sampan.cli.system.version import client_text, server_text
from support.scripted_engine import ScriptedEngine, reply_json

Sampan = Callable[..., tuple[int, str, str]]
SERVER = {
    "Platform": {"Name": "Sampan"},
    "Components": [
        {
            "Name": "Engine",
            "Version": "9.9",
            "Details": {"ApiVersion": "1.51", "MinAPIVersion": "1.24", "Os": "linux", "Arch": "amd64"},
        },
        {"Name": "runtime", "Version": "1", "Details": {"GitCommit": "abc"}},
    ],
    "Version": "9.9",
}


def test_both_sides_are_shown(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, lambda _: reply_json(SERVER)) as engine:
        code, out, err = sampan("-H", engine.url, "version")
    assert (code, err) == (0, "")
    client, _, server = out.partition("\n\n")
    assert client.startswith("Client:\n Version:")
    assert __version__ in client
    assert "API version:" in server
    assert "1.51 (minimum version 1.24)" in server


def test_without_an_engine_ours_is_shown_and_the_failure_told(sampan: Sampan) -> None:
    code, out, err = sampan("version")
    assert code == 1
    assert out.startswith("Client:\n")
    assert "Server" not in out
    assert "/nonexistent/engine.sock" in err


def test_a_format_sees_both(sampan: Sampan, tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, lambda _: reply_json(SERVER)) as engine:
        out = sampan("-H", engine.url, "version", "--format", "{{.Server.Version}}/{{.Client.Version}}")[1]
        assert out == f"9.9/{__version__}\n"
        assert json.loads(sampan("-H", engine.url, "version", "-f", "json")[1])["Server"] == SERVER


def test_an_older_api_is_said_to_be_a_downgrade() -> None:
    client = {
        "Version": "1",
        "ApiVersion": "1.44",
        "DefaultAPIVersion": "1.51",
        "PythonVersion": "3",
        "Os": "linux",
        "Arch": "amd64",
        "Context": "default",
    }
    assert "1.44 (downgraded from 1.51)" in client_text(client)


def test_the_details_of_other_components_are_sorted() -> None:
    text = server_text({"Components": [{"Name": "x", "Version": "1", "Details": {"b": "2", "a": "1"}}]})
    assert text.startswith("\nServer:\n x:\n")
    assert text.index("a:") < text.index("b:")
