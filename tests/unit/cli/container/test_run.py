import pytest

from sampan.cli.container.run import exit_code_of


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('exec: "x": executable file not found in $PATH', 127),
        ("exec: /x: no such file or directory", 127),
        ("exec: /etc: permission denied", 126),
        ("exec: /etc: is a directory", 126),
        ("Conflict. The container name is in use", 125),
    ],
)
def test_a_failed_starts_code_is_read_from_its_message(message: str, code: int) -> None:
    assert exit_code_of(message) == code
