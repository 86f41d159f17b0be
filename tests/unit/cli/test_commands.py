import pytest

from sampan.cli import commands


@pytest.mark.parametrize(
    ("words", "path", "rest"),
    [
        (["ps", "-a"], "ps", ["-a"]),
        (["container", "ls", "x"], "container ls", ["x"]),
        (["container", "list"], "container ls", []),
        (["container", "ps"], "container ls", []),
        (["image", "remove", "x"], "image rm", ["x"]),
        (["system", "info"], "system info", []),
        (["container"], "container", []),
        (["container", "foo"], "container", ["foo"]),
    ],
)
def test_words_are_found_in_the_table(words: list[str], path: str, rest: list[str]) -> None:
    found = commands.find(words)
    assert found is not None
    assert (found[0], found[2]) == (path, rest)


@pytest.mark.parametrize("words", [[], ["foo"], ["ls"]])
def test_other_words_are_not_found(words: list[str]) -> None:
    assert commands.find(words) is None


def test_a_group_and_its_top_level_name_are_one_command() -> None:
    assert commands.COMMANDS["rmi"] == commands.GROUPS["image"]["rm"]
    assert commands.COMMANDS["ps"] == commands.GROUPS["container"]["ls"]
