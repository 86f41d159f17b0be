from collections.abc import Callable

import pytest

from sampan.cli.main import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def sampan(monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line against whatever SAMPAN_HOST names."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_API_VERSION", raising=False)
    monkeypatch.setenv("SAMPAN_HOST", "unix:///nonexistent/engine.sock")

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        return code, *capfd.readouterr()

    return run
