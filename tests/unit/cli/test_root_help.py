import pytest

from sampan.cli import commands, root_help


def test_the_root_help_names_every_command() -> None:
    text = root_help.text()
    assert all(f"\n  {name} " in text for name in commands.COMMANDS | commands.GROUPS)


@pytest.mark.parametrize("group", commands.GROUPS)
def test_a_groups_help_names_its_commands_with_what_they_do(group: str) -> None:
    text = root_help.group_text(group)
    assert text.startswith(f"Usage:  sampan {group} COMMAND\n")
    for name, row in commands.GROUPS[group].items():
        assert f"  {name.ljust(root_help.NAME_WIDTH)} {row[1]}\n" in text
