"""`sampan images`: a line for each name that an image has."""

from __future__ import annotations

import time

from sampan.cli.command import Command
from sampan.cli.container.ps import FORMAT_HELP, filters_query
from sampan.cli.output import times, units
from sampan.cli.output.listing import Listing, lazily
from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sampan.cli.command import Context
    from sampan.cli.flags import Parsed

NONE = "<none>"
HEADINGS = {
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "ID": "IMAGE ID",
    "CreatedSince": "CREATED",
    "Size": "SIZE",
    "Digest": "DIGEST",
    "CreatedAt": "CREATED AT",
    "Containers": "CONTAINERS",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
    "VirtualSize": "VIRTUAL SIZE",
}
SHOWN = ("Repository", "Tag", "ID", "CreatedSince", "Size")
WITH_DIGESTS = ("Repository", "Tag", "Digest", "ID", "CreatedSince", "Size")


def names(summary: dict[str, Any], *, digests: bool) -> Iterator[tuple[str, str, str]]:
    """(repository, tag, digest) of each line for an image; one without a name gets a line of <none>."""
    tags: dict[str, list[str]] = {}
    for reference in summary.get("RepoTags") or []:
        if reference != f"{NONE}:{NONE}":
            repository, _, tag = reference.rpartition(":")
            tags.setdefault(repository, []).append(tag)
    found: dict[str, list[str]] = {}
    for reference in summary.get("RepoDigests") or []:
        if reference != f"{NONE}@{NONE}":
            repository, _, digest = reference.partition("@")
            found.setdefault(repository, []).append(digest)
    if not tags and not found:
        yield NONE, NONE, NONE
    for repository, its_tags in tags.items():
        its_digests = found.pop(repository, []) if digests else []
        found.pop(repository, None)
        for tag in its_tags:
            for digest in its_digests or [NONE]:
                yield repository, tag, digest
    for repository, its_digests in found.items():
        for digest in its_digests if digests else [NONE]:
            yield repository, NONE, digest


def row(summary: dict[str, Any], name: tuple[str, str, str], *, truncates: bool, now_s: float) -> dict[str, Any]:
    created_s = summary["Created"]
    size_bytes = summary.get("Size", 0)
    return {
        "Repository": name[0],
        "Tag": name[1],
        "Digest": name[2],
        "ID": units.short_id(summary["Id"]) if truncates else summary["Id"],
        "CreatedSince": (units.duration(now_s - created_s) + " ago") if created_s > 0 else "N/A",
        "CreatedAt": lazily(times.go_string, created_s * times.NS),
        "Size": units.size(size_bytes, digits=3),
        "Containers": "N/A" if summary.get("Containers", -1) == -1 else str(summary["Containers"]),
        "VirtualSize": units.size(size_bytes),
        "SharedSize": _or_unknown(summary.get("SharedSize", -1)),
        "UniqueSize": _or_unknown(
            size_bytes - summary.get("SharedSize", -1) if summary.get("SharedSize", -1) >= 0 else -1
        ),
    }


def _or_unknown(size_bytes: int) -> str:
    return "N/A" if size_bytes == -1 else units.size(size_bytes)


def run(context: Context, parsed: Parsed) -> int:
    if parsed["tree"]:
        raise InvalidArgument("--tree is not supported")
    filters = list(parsed["filter"])
    if parsed.arguments:
        filters.append(("reference", parsed.arguments[0]))
    query: dict[str, str | list[str]] = {"all": "1"} if parsed["all"] else {}
    if filters:
        query["filters"] = filters_query(filters)
    found = context.engine.get("/images/json", query)
    form = parsed["format"]
    if parsed["quiet"] and form in ("", "table"):
        form = "{{.ID}}"
    shows_digests = parsed["digests"] or ".Digest" in form
    listing = Listing(HEADINGS, WITH_DIGESTS if parsed["digests"] else SHOWN, "*formatter.imageContext")
    now_s = time.time()
    rows = [
        row(summary, name, truncates=not parsed["no-trunc"], now_s=now_s)
        for summary in found
        for name in names(summary, digests=shows_digests)
    ]
    listing.print(rows, form)
    return 0


COMMAND = Command(
    "[OPTIONS] [REPOSITORY[:TAG]]",
    "List images",
    run=run,
    flags=(
        ("all", "a", "bool", "Show all images (default hides intermediate images)"),
        ("digests", "", "bool", "Show digests"),
        ("filter", "f", "filter", "Filter output based on conditions provided"),
        ("format", "", "string", FORMAT_HELP),
        ("no-trunc", "", "bool", "Don't truncate output"),
        ("quiet", "q", "bool", "Only show image IDs"),
        ("tree", "", "bool", "List multi-platform images as a tree (EXPERIMENTAL)"),
    ),
    aliases=("image ls", "image list", "images"),
    most=1,
)
