"""`sampan rmi` and `sampan tag`."""

from __future__ import annotations

import sys

from sampan.cli.command import Command, Failure, write_error
from sampan.client.engine import PREFIX
from sampan.errors import Error, InvalidArgument, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.cli.command import Context
    from sampan.cli.flags import Parsed


def remove(context: Context, parsed: Parsed) -> int:
    query: dict[str, str | list[str]] = {}
    if parsed["force"]:
        query["force"] = "1"
    if parsed["no-prune"]:
        query["noprune"] = "1"
    if parsed["platform"]:
        from sampan.cli.image.platforms import platform_json

        query["platforms"] = [platform_json(text) for text in parsed["platform"]]
    failures = []
    is_fatal = False
    for name in parsed.arguments:
        try:
            removed = context.engine.delete(f"/images/{name}", query)
        except Error as failure:
            is_fatal = is_fatal or not isinstance(failure, NotFound)
            failures.append(str(failure))
            continue
        for step in removed or []:
            kind = "Deleted" if "Deleted" in step else "Untagged"
            sys.stdout.write(f"{kind}: {step[kind]}\n")
    sys.stdout.flush()
    if not failures:
        return 0
    if is_fatal or not parsed["force"]:
        raise Failure("\n".join(failures))
    write_error("\n".join(failures))
    return 0


def split_reference(text: str) -> tuple[str, str]:
    """ "name:tag" in (name, tag); a reference with a digest cannot be a tag's name."""
    if "@" in text:
        raise InvalidArgument("refusing to create a tag with a digest reference")
    name, colon, tag = text.rpartition(":")
    if not colon or "/" in tag:
        return text, ""
    return name, tag


def tag(context: Context, parsed: Parsed) -> int:
    source, target = parsed.arguments
    name, label = split_reference(target)
    query: dict[str, str | list[str]] = {"repo": name, "tag": label or "latest"}
    try:
        context.engine.post(f"/images/{source}/tag", query)
    except InvalidArgument as cause:
        problem = str(cause).removeprefix(PREFIX)
        if not problem.startswith("invalid reference format"):
            raise
        raise InvalidArgument(
            f'Error parsing reference: "{target}" is not a valid repository/tag: {problem}'
        ) from cause
    return 0


RMI = Command(
    "[OPTIONS] IMAGE [IMAGE...]",
    "Remove one or more images",
    run=remove,
    flags=(
        ("force", "f", "bool", "Force removal of the image"),
        ("no-prune", "", "bool", "Do not delete untagged parents"),
        (
            "platform",
            "",
            "strings",
            'Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
        ),
    ),
    aliases=("image rm", "image remove", "rmi"),
    least=1,
)
TAG = Command(
    "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    run=tag,
    aliases=("image tag", "tag"),
    least=2,
    most=2,
)
