"""Listings in docker's --format: table, table TEMPLATE, json, or a template a line.

Layout      A listing has columns (name -> heading) and rows (name -> a value, or a function that makes it). The usual
            table needs no template engine: it is made straight from the columns it shows.
Errors      InvalidArgument: a template that does not parse or does not fit.
"""

from __future__ import annotations

import sys

from sampan.cli.output.table import align
from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Row = dict[str, Any]


class Listing:
    """`headings` names every column; `shown` are those of the usual table; `kind` is the Go type in messages."""

    __slots__ = ("headings", "hidden", "kind", "shown")

    def __init__(
        self, headings: dict[str, str], shown: Sequence[str], kind: str, *, hidden: Sequence[str] = ()
    ) -> None:
        self.headings = headings
        self.shown = shown
        self.kind = kind
        self.hidden = hidden

    def print(self, rows: Sequence[Row], form: str) -> None:
        """`form` is the value of --format."""
        if form in ("", "table"):
            lines = ["\t".join(self.headings[name] for name in self.shown)]
            lines += ["\t".join(str(value(row[name])) for name in self.shown) for row in rows]
            sys.stdout.write(align(lines))
        elif form == "json":
            from sampan.cli.template.functions import Fields

            fields = [Fields(row, self.kind, hidden=self.hidden) for row in rows]
            sys.stdout.write("".join(one.to_json() + "\n" for one in fields))
        else:
            self._print_template(rows, form)

    def names_in(self, form: str) -> set[str]:
        """The columns that a template may ask for, found without parsing it."""
        return {name for name in self.headings if f".{name}" in form}

    def _print_template(self, rows: Sequence[Row], form: str) -> None:
        from sampan.cli.template.evaluate import Template
        from sampan.cli.template.functions import HEADING_FUNCTIONS, Fields

        is_table = form.startswith("table")
        source = (form.removeprefix("table").strip() if is_table else form).replace("\\t", "\t").replace("\\n", "\n")
        try:
            template = Template(source)
        except InvalidArgument as cause:
            raise InvalidArgument(f"failed to parse template: {cause}") from cause
        lines: list[str] = []
        try:
            if is_table:
                headings: Row = {**self.headings, "Label": label_heading}
                lines.append(template.render(Fields(headings, self.kind), functions=HEADING_FUNCTIONS))
            lines += [template.render(Fields(row, self.kind, hidden=self.hidden)) for row in rows]
        except InvalidArgument as cause:
            raise InvalidArgument(f"failed to execute template: {cause}") from cause
        if is_table:
            sys.stdout.write(align([part for line in lines for part in line.split("\n")]))
        else:
            sys.stdout.write("".join(line + "\n" for line in lines))


def value(item: Any) -> Any:
    return item() if callable(item) else item


def label_heading(label: str) -> str:
    """The heading of a label's column: the last part of the label's name."""
    return label.rpartition(".")[2].replace("-", " ").replace("_", " ")


def lazily(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: function(*arguments)
