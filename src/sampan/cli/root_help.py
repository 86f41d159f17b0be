"""Help for `sampan` itself and for its management commands, from the table of commands alone."""

from __future__ import annotations

from sampan.cli import commands
from sampan.cli.help import flag_lines, terminal_width

NAME_WIDTH = 11


def text() -> str:
    parts = [
        "Usage:  sampan [OPTIONS] COMMAND\n\nA self-sufficient runtime for containers\n",
        _section("Common Commands", {name: row[1] for name, row in commands.COMMON.items()}),
        _section("Management Commands", commands.MANAGEMENT),
        _section("Commands", {name: row[1] for name, row in commands.OTHER.items()}),
        "\nGlobal Options:\n" + flag_lines(commands.GLOBAL_FLAGS, width=terminal_width()),
        "\nRun 'sampan COMMAND --help' for more information on a command.\n",
    ]
    return "".join(parts)


def group_text(group: str) -> str:
    rows = {name: row[1] for name, row in commands.GROUPS[group].items()}
    return (
        f"Usage:  sampan {group} COMMAND\n\n{commands.MANAGEMENT[group]}\n{_section('Commands', rows)}\n"
        f"Run 'sampan {group} COMMAND --help' for more information on a command.\n"
    )


def _section(title: str, rows: dict[str, str]) -> str:
    return f"\n{title}:\n" + "".join(f"  {name.ljust(NAME_WIDTH)} {summary}\n" for name, summary in rows.items())
