"""JSON for people and for programs: indented as Go's encoder does it, tables as Go's tabwriter does them."""

from sampan.base import jsontext


def indented(value: object, *, indent: str = "  ", depth: int = 0) -> str:
    """JSON over several lines; an empty object or list stays on its own."""
    inner, outer = indent * (depth + 1), indent * depth
    if isinstance(value, dict) and value:
        rows = [
            f"{inner}{jsontext.dumps(str(key))}: {indented(item, indent=indent, depth=depth + 1)}"
            for key, item in value.items()
        ]
        return "{\n" + ",\n".join(rows) + f"\n{outer}}}"
    if isinstance(value, list) and value:
        rows = [inner + indented(item, indent=indent, depth=depth + 1) for item in value]
        return "[\n" + ",\n".join(rows) + f"\n{outer}]"
    return jsontext.dumps(value)


def columns(rows: "list[list[str]]", *, least: int = 12, gap: int = 3) -> str:
    """Rows in columns, each as wide as its longest cell and `gap`, at least `least`; the last one is not filled up."""
    widths = [max(least, *(len(row[at]) + gap for row in rows)) for at in range(len(rows[0]) - 1)]
    lines = ("".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) + row[-1] for row in rows)
    return "".join(f"{line}\n" for line in lines)
