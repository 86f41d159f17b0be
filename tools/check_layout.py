"""Checks that the tests mirror the sources, and that files and functions stay short.

Rules        Every src/sampan/<path>/<module>.py has tests/unit/<path>/test_<module>.py.
             Exceptions stand in tools/layout-exceptions.txt, each with its reason. The list may only shrink: an entry
             whose test exists, or whose source is gone, is an error.
             No function has more than 100 lines; files above 400 lines are reported, above 600 they are an error.
"""

import ast
import os
import sys
from collections.abc import Iterator

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCES = "src/sampan"
TESTS = "tests/unit"
EXCEPTIONS = "tools/layout-exceptions.txt"
FILE_LINES, FILE_LINES_MAX, FUNCTION_LINES_MAX = 400, 600, 100


def modules(folder: str) -> Iterator[str]:
    """Paths of the modules below `folder`, relative to it."""
    top = os.path.join(ROOT, folder)
    for parent, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            if name.endswith(".py") and name != "__init__.py":
                yield os.path.relpath(os.path.join(parent, name), top)


def test_of(module: str) -> str:
    """Where the test of a module belongs."""
    folder, name = os.path.split(module)
    return os.path.join(TESTS, folder, f"test_{name}")


def exceptions() -> dict[str, str]:
    """Module to reason."""
    found = {}
    with open(os.path.join(ROOT, EXCEPTIONS)) as file:
        for line in filter(None, (line.strip() for line in file)):
            if not line.startswith("#"):
                module, _, reason = line.partition(" ")
                found[module] = reason.strip()
    return found


def layout_errors() -> Iterator[str]:
    """What breaks the mirror."""
    excused = exceptions()
    sources = set(modules(SOURCES))
    for module in sorted(sources):
        has_test = os.path.exists(os.path.join(ROOT, test_of(module)))
        if not has_test and module not in excused:
            yield f"{SOURCES}/{module}: no {test_of(module)}"
        if has_test and module in excused:
            yield f"{EXCEPTIONS}: {module} has its test now; take it off the list"
    for module, reason in excused.items():
        if module not in sources:
            yield f"{EXCEPTIONS}: there is no {module}"
        if not reason:
            yield f"{EXCEPTIONS}: {module} needs a reason"


def length_findings(module: str) -> Iterator[tuple[bool, str]]:
    """(is an error, text) for what is long in a module."""
    with open(os.path.join(ROOT, SOURCES, module)) as file:
        text = file.read()
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield lines > FILE_LINES_MAX, f"{SOURCES}/{module}: {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield True, f"{SOURCES}/{module}:{node.lineno}: {node.name} has {length} lines"


def main() -> int:
    """Print the findings; 1 if one is an error."""
    errors = list(layout_errors())
    for module in modules(SOURCES):
        for is_error, text in length_findings(module):
            print(f"long: {text}")
            errors += [text] if is_error else []
    for error in errors:
        print(f"error: {error}", file=sys.stderr)
    count = sum(1 for _ in modules(SOURCES))
    print(f"layout: {count} modules, {len(exceptions())} without a unit test, {len(errors)} errors")
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
