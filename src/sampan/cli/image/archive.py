"""`sampan import`, `load` and `save`: images as files.

Invariants  1. A file goes through in pieces, whatever its size.
            2. `save -o` replaces its file only by a complete archive.
"""

from __future__ import annotations

import os
import sys

from sampan import errors
from sampan.cli.command import Command, Failure
from sampan.cli.streams import write_all
from sampan.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sampan.cli.command import Context
    from sampan.cli.flags import Parsed
    from sampan.client.transport import Response

PIECE_BYTES = 1 << 20


def pieces_of(fd: int) -> Iterator[bytes]:
    while piece := os.read(fd, PIECE_BYTES):
        yield piece


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as cause:
        raise Failure(f"open {path}: {(cause.strerror or '').lower()}") from cause


def _show_progress(response: Response) -> None:
    """The engine's JSON messages as text; an error among them is the command's."""
    from sampan.client import jsontext

    for step in jsontext.values(response.pieces()):
        if step.get("error"):
            raise Error(step["error"])
        if step.get("progressDetail"):
            continue
        text = step.get("stream")
        if text is None:
            text = ": ".join(filter(None, (step.get("id"), step.get("status")))) + "\n"
        sys.stdout.write(text)
        sys.stdout.flush()


def import_(context: Context, parsed: Parsed) -> int:
    source, *names = parsed.arguments
    query: dict[str, str | list[str]] = {"fromSrc": source, "repo": names[0] if names else ""}
    for flag, field in (("message", "message"), ("platform", "platform"), ("change", "changes")):
        if parsed[flag]:
            query[field] = parsed[flag]
    if source.startswith(("http://", "https://")):
        _show_progress(context.engine.call("POST", "/images/create", query=query))
        return 0
    query["fromSrc"] = "-"
    fd = 0 if source == "-" else _open(source)
    _show_progress(context.engine.call("POST", "/images/create", query=query, upload=pieces_of(fd)))
    return 0


def load(context: Context, parsed: Parsed) -> int:
    if not parsed["input"] and os.isatty(0):
        raise Failure("requested load from stdin, but stdin is empty")
    query: dict[str, str | list[str]] = {"quiet": "1" if parsed["quiet"] or not os.isatty(1) else "0"}
    if parsed["platform"]:
        from sampan.cli.image.platforms import platform_json

        query["platform"] = platform_json(parsed["platform"])
    fd = _open(parsed["input"]) if parsed["input"] else 0
    response = context.engine.call("POST", "/images/load", query=query, upload=pieces_of(fd))
    if response.head.headers.get("content-type", "").startswith("application/json"):
        _show_progress(response)
    else:
        for piece in response.pieces():
            write_all(1, [memoryview(piece)])
    return 0


def save(context: Context, parsed: Parsed) -> int:
    path = parsed["output"]
    if not path and os.isatty(1):
        raise Failure("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    if path and not os.path.isdir(os.path.dirname(path) or "."):
        folder = os.path.dirname(path)
        raise Failure(f"failed to save image: invalid output path: stat {folder}: no such file or directory")
    if path and os.path.isdir(path):
        raise Failure("failed to save image: cannot write to a directory")
    query: dict[str, str | list[str]] = {"names": parsed.arguments}
    if parsed["platform"]:
        from sampan.cli.image.platforms import platform_json

        query["platform"] = platform_json(parsed["platform"])
    response = context.engine.call("GET", "/images/get", query=query)
    if path:
        try:
            _save_to(path, response)
        except OSError as error:
            raise errors.InvalidArgument(f"failed to save image: {path}: {(error.strerror or '').lower()}") from error
        return 0
    for piece in response.pieces():
        write_all(1, [memoryview(piece)])
    return 0


def _save_to(path: str, response: Response) -> None:
    if os.path.exists(path) and not os.path.isfile(path):
        # A device or a pipe cannot be replaced; it is written to.
        with open(path, "wb") as file:
            file.writelines(response.pieces())
        return
    aside = f"{path}.tmp-{os.getpid()}"
    with open(aside, "xb") as file:
        try:
            file.writelines(response.pieces())
            os.rename(aside, path)
        except BaseException:
            os.unlink(aside)
            raise


IMPORT = Command(
    "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
    "Import the contents from a tarball to create a filesystem image",
    run=import_,
    flags=(
        ("change", "c", "list", "Apply Dockerfile instruction to the created image"),
        ("message", "m", "string", "Set commit message for imported image"),
        ("platform", "", "string", "Set platform if server is multi-platform capable"),
    ),
    aliases=("image import", "import"),
    least=1,
)
LOAD = Command(
    "[OPTIONS]",
    "Load an image from a tar archive or STDIN",
    run=load,
    flags=(
        ("input", "i", "string", "Read from tar archive file, instead of STDIN"),
        (
            "platform",
            "",
            "string",
            'Load only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
        ),
        ("quiet", "q", "bool", "Suppress the load output"),
    ),
    aliases=("image load", "load"),
    most=0,
)
SAVE = Command(
    "[OPTIONS] IMAGE [IMAGE...]",
    "Save one or more images to a tar archive (streamed to STDOUT by default)",
    run=save,
    flags=(
        ("output", "o", "string", "Write to a file, instead of STDOUT"),
        (
            "platform",
            "",
            "string",
            'Save only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
        ),
    ),
    aliases=("image save", "save"),
    least=1,
)
