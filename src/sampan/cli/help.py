"""Help text, laid out as docker's: usage line, summary, aliases, flags wrapped at the terminal's width.

Spec        pflag's FlagUsagesWrapped: continuation lines start under the usage column, and a line may run up to
            SLOP columns over to spare the last line a single short word.
"""

from __future__ import annotations

import os

from sampan.cli.flags import KIND, NAME, SHORT, SHOWN, USAGE
from sampan.cli.kinds import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sampan.cli.command import Command
    from sampan.cli.flags import Row

SLOP = 5
SMALLEST_WIDTH = 24


def terminal_width() -> int:
    try:
        columns = os.get_terminal_size(0).columns or 80
    except OSError:
        columns = 80
    # One less, as docker has it: a line that fills the terminal wraps on some.
    return columns - 1


def command_help(command: Command, path: str, *, width: int) -> str:
    parts = [f"Usage:  {usage_line(command, path)}\n\n{command.summary}\n"]
    if command.aliases:
        parts.append("\nAliases:\n  " + ", ".join(f"sampan {alias}" for alias in command.aliases) + "\n")
    shown = [row for row in command.flags if row[USAGE]]
    if shown:
        parts.append("\nOptions:\n" + flag_lines(shown, width=width))
    return "".join(parts)


def usage_line(command: Command, path: str) -> str:
    return f"sampan {path} {command.usage}".rstrip()


def flag_lines(rows: Sequence[Row], *, width: int) -> str:
    names = [_flag_name(row) for row in rows]
    column = max(len(name) for name in names) + 3
    lines = []
    for name, row in zip(names, rows, strict=True):
        usage = row[USAGE] + (f" (default {row[SHOWN]})" if len(row) > SHOWN else "")
        lines.append(name.ljust(column) + wrap(usage, column, width) + "\n")
    return "".join(lines)


def _flag_name(row: Row) -> str:
    name = f"  -{row[SHORT]}, --{row[NAME]}" if row[SHORT] else f"      --{row[NAME]}"
    label = KINDS[row[KIND]].label
    return f"{name} {label}" if label else name


def wrap(text: str, indent: int, width: int) -> str:
    """`text` in lines that end by `width`, the first one already indented by the caller."""
    room = width - indent
    lead = ""
    if room < SMALLEST_WIDTH:
        indent = 16
        room = width - indent
        lead = "\n" + " " * indent
    gap = "\n" + " " * indent
    if room < SMALLEST_WIDTH:
        return text.replace("\n", gap)
    room -= SLOP
    lines = []
    while True:
        line, text = _first_line(text, room)
        lines.append(line.replace("\n", gap))
        if not text:
            return lead + gap.join(lines)


def _first_line(text: str, room: int) -> tuple[str, str]:
    if room + SLOP > len(text):
        return text, ""
    head = text[:room]
    blank = max(head.rfind(" "), head.rfind("\t"), head.rfind("\n"))
    if blank <= 0:
        return text, ""
    newline = head.rfind("\n")
    cut = newline if 0 < newline < blank else blank
    return text[:cut], text[cut + 1 :]
