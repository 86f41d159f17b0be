from sampan.cli import commands, help

RM_HELP = """\
Usage:  sampan rm [OPTIONS] CONTAINER [CONTAINER...]

Remove one or more containers

Aliases:
  sampan container rm, sampan container remove, sampan rm

Options:
  -f, --force     Force the removal of a running container (uses SIGKILL)
  -l, --link      Remove the specified link
  -v, --volumes   Remove anonymous volumes associated with the container
"""
PS_WRAPPED = """\
  -n, --last int        Show n last created containers (includes all
                        states) (default -1)
  -l, --latest          Show the latest created container (includes all
                        states)
      --no-trunc        Don't truncate output
"""


def test_help_is_laid_out_as_dockers() -> None:
    assert help.command_help(commands.load(commands.RM[0]), "rm", width=79) == RM_HELP


def test_long_usages_wrap_under_their_column() -> None:
    assert PS_WRAPPED in help.command_help(commands.load(commands.PS[0]), "ps", width=79)


def test_a_narrow_terminal_moves_usages_to_their_own_lines() -> None:
    text = help.wrap("some words that are longer than the room", 30, 45)
    assert text == "\n                some words that are\n                longer than the room"


def test_every_command_has_help_and_the_table_has_its_summary() -> None:
    for words in [[name] for name in commands.COMMANDS] + [
        [group, name] for group, names in commands.GROUPS.items() for name in names
    ]:
        found = commands.find(words)
        assert found is not None
        command = commands.load(found[1])
        table = commands.COMMANDS if len(words) == 1 else commands.GROUPS[words[0]]
        assert command.summary == table[words[-1]][1]
        assert f"Usage:  sampan {' '.join(words)} " in help.command_help(command, found[0], width=79)
