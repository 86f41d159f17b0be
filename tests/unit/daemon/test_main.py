import subprocess
import sys

import pytest

from sampan import __version__
from sampan.daemon.main import run


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"Sampan version {__version__}\n"


def test_a_wrong_flag_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--nonsense"]) == 2
    assert "unrecognized arguments: --nonsense" in capsys.readouterr().err


def test_the_version_is_told_without_loading_the_engine() -> None:
    code = (
        "import sys; from sampan.daemon.main import run; run(['--version']); "
        "print([name for name in sys.modules if name.startswith(('asyncio', 'aiohttp', 'msgspec'))])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "[]"
