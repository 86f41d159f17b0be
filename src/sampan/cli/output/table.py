"""Text in columns, as Go's tabwriter makes them for docker: cells at least MIN_WIDTH wide, PADDING blanks apart.

Rules       A cell ends with a tab; what follows the last tab of a line is no cell and gives no column its width. A
            column is a run of neighbouring lines that have a cell there.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_WIDTH = 10
PADDING = 3


def align(lines: Sequence[str]) -> str:
    """Lines whose cells are separated by tabs, aligned."""
    rows = [line.split("\t") for line in lines]
    width_of: list[list[int]] = [[0] * (len(row) - 1) for row in rows]
    columns = max((len(widths) for widths in width_of), default=0)
    for column in range(columns):
        start = 0
        while start < len(rows):
            if column >= len(width_of[start]):
                start += 1
                continue
            end = start
            while end < len(rows) and column < len(width_of[end]):
                end += 1
            width = max(MIN_WIDTH, PADDING + max(len(rows[at][column]) for at in range(start, end)))
            for at in range(start, end):
                width_of[at][column] = width
            start = end
    return "".join(
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) + row[-1] + "\n"
        for row, widths in zip(rows, width_of, strict=True)
    )
