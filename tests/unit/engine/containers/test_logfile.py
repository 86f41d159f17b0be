import pytest

from sampan.api.wire.host import LogConfig
from sampan.engine.containers.logfile import log_settings, size_bytes
from sampan.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "size"), [("", 0), ("-1", 0), ("10", 10), ("10k", 10240), ("1.5m", 1572864), ("2GiB", 2 << 30)]
)
def test_sizes_are_binary(text: str, size: int) -> None:
    assert size_bytes(text) == size


def test_settings_carry_rotation() -> None:
    config = LogConfig(type="json-file", config={"max-size": "1k", "max-file": "3"})
    assert log_settings(config, "/x.log") == {"driver": "json-file", "path": "/x.log", "max_size": 1024, "max_file": 3}


@pytest.mark.parametrize("options", [{"max-size": "x"}, {"max-file": "0"}, {"max-file": "two"}])
def test_nonsense_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument):
        log_settings(LogConfig(config=options), "/x.log")
