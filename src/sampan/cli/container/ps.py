"""`sampan ps`: the containers, a line each."""

from __future__ import annotations

import sys
import time

from sampan.cli.command import Command
from sampan.cli.output import times, units
from sampan.cli.output.listing import Listing, lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.cli.command import Context
    from sampan.cli.flags import Parsed

HEADINGS = {
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "RunningFor": "CREATED",
    "Status": "STATUS",
    "Ports": "PORTS",
    "Names": "NAMES",
    "CreatedAt": "CREATED AT",
    "Label": "LABEL",
    "Labels": "LABELS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Mounts": "MOUNTS",
    "Networks": "NETWORKS",
    "Platform": "PLATFORM",
    "Size": "SIZE",
    "State": "STATE",
}
SHOWN = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")
COMMAND_WIDTH = 20
MOUNTS_WIDTH = 15
FORMAT_HELP = (
    "Format output using a custom template:\n"
    "'table':            Print output in table format with column headers (default)\n"
    "'table TEMPLATE':   Print output in table format using the given Go template\n"
    "'json':             Print in JSON format\n"
    "'TEMPLATE':         Print output using the given Go template.\n"
    "Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates"
)


def row(summary: dict[str, Any], *, truncates: bool, now_s: float, has_size: bool = True) -> dict[str, Any]:
    labels = summary.get("Labels") or {}
    return {
        "ID": units.short_id(summary["Id"]) if truncates else summary["Id"],
        "Image": _image(summary, truncates=truncates),
        "Command": lazily(_command, summary.get("Command", ""), truncates),
        "RunningFor": lazily(lambda: units.duration(now_s - summary["Created"]) + " ago"),
        "Status": summary.get("Status", ""),
        "Ports": lazily(ports, summary.get("Ports") or []),
        "Names": _names(summary.get("Names") or [], truncates=truncates),
        "CreatedAt": lazily(lambda: times.go_string(summary["Created"] * times.NS)),
        "Label": lambda name: labels.get(name, ""),
        "Labels": ",".join(f"{name}={labels[name]}" for name in sorted(labels)),
        "LocalVolumes": str(sum(mount.get("Driver") == "local" for mount in summary.get("Mounts") or [])),
        "Mounts": _mounts(summary.get("Mounts") or [], truncates=truncates),
        "Networks": ",".join(sorted((summary.get("NetworkSettings") or {}).get("Networks") or {})),
        "Platform": None,
        "Size": lazily(_size, summary),
        "State": summary.get("State", ""),
    }


def _image(summary: dict[str, Any], *, truncates: bool) -> str:
    image: str = summary.get("Image", "")
    if not image:
        return "<no image>"
    if not truncates:
        return image
    short = units.short_id(summary.get("ImageID", ""))
    if short == units.short_id(image):
        return short
    name, at, _ = image.partition("@")
    return name if at and not image.startswith("sha256:") else image


def _command(command: str, truncates: bool) -> str:
    from sampan.client import jsontext

    return jsontext.dumps(units.ellipsis(command, COMMAND_WIDTH) if truncates else command)


def _names(names: list[str], *, truncates: bool) -> str:
    bare = [name.removeprefix("/") for name in names]
    if truncates:
        bare = [name for name in bare if "/" not in name]
    return ",".join(bare)


def _mounts(mounts: list[dict[str, Any]], *, truncates: bool) -> str:
    names = [mount.get("Name") or mount.get("Source", "") for mount in mounts]
    return ",".join(units.ellipsis(name, MOUNTS_WIDTH) if truncates else name for name in names)


def _size(summary: dict[str, Any]) -> str:
    text = units.size(summary.get("SizeRw", 0), digits=3)
    whole = summary.get("SizeRootFs", 0)
    return f"{text} (virtual {units.size(whole, digits=3)})" if whole > 0 else text


def ports(published: list[dict[str, Any]]) -> str:
    """Ports as docker groups them: neighbours with equal host and container ports make a range."""
    groups: dict[str, list[int]] = {}
    done, mappings = [], []
    for port in sorted(
        published, key=lambda one: (one["PrivatePort"], one.get("IP", ""), one.get("PublicPort", 0), one["Type"])
    ):
        private, address, kind = port["PrivatePort"], port.get("IP", ""), port["Type"]
        key = kind
        if address:
            if port.get("PublicPort", 0) != private:
                mappings.append(f"{_joined(address, port.get('PublicPort', 0))}->{private}/{kind}")
                continue
            key = f"{address}/{kind}"
        group = groups.get(key)
        if group is not None and private == group[1] + 1:
            group[1] = private
            continue
        if group is not None:
            done.append(_group_text(key, group))
        groups[key] = [private, private]
    return ", ".join([*done, *(_group_text(key, group) for key, group in groups.items()), *mappings])


def _joined(address: str, port: object) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _group_text(key: str, group: list[int]) -> str:
    address, _, kind = key.rpartition("/")
    text = str(group[0]) if group[0] == group[1] else f"{group[0]}-{group[1]}"
    return f"{_joined(address, text)}->{text}/{kind}" if address else f"{text}/{kind}"


def filters_query(filters: list[tuple[str, str]]) -> str:
    from sampan.client import jsontext

    found: dict[str, dict[str, bool]] = {}
    for name, text in filters:
        found.setdefault(name, {})[text] = True
    return jsontext.dumps(found)


def run(context: Context, parsed: Parsed) -> int:
    listing = Listing(
        HEADINGS, (*SHOWN, "Size") if parsed["size"] else SHOWN, "*formatter.ContainerContext", hidden=["Label"]
    )
    form = "{{.ID}}" if parsed["quiet"] and not parsed["format"] else parsed["format"]
    wants_size = parsed["size"] or "Size" in listing.names_in(form) or "json ." in form
    query: dict[str, str | list[str]] = {}
    if parsed["all"]:
        query["all"] = "1"
    last = 1 if parsed["latest"] and "last" not in parsed.changed else parsed["last"]
    if last > 0:
        query["limit"] = str(last)
    if wants_size:
        query["size"] = "1"
    if parsed["filter"]:
        query["filters"] = filters_query(parsed["filter"])
    found = context.engine.get("/containers/json", query)
    if parsed["quiet"] and form in ("{{.ID}}", "table"):
        for summary in found:
            sys.stdout.write((summary["Id"] if parsed["no-trunc"] else units.short_id(summary["Id"])) + "\n")
        return 0
    now_s = time.time()
    listing.print([row(one, truncates=not parsed["no-trunc"], now_s=now_s) for one in found], form)
    return 0


COMMAND = Command(
    "[OPTIONS]",
    "List containers",
    run=run,
    flags=(
        ("all", "a", "bool", "Show all containers (default shows just running)"),
        ("filter", "f", "filter", "Filter output based on conditions provided"),
        ("format", "", "string", FORMAT_HELP),
        ("last", "n", "int-unset", "Show n last created containers (includes all states)", "-1"),
        ("latest", "l", "bool", "Show the latest created container (includes all states)"),
        ("no-trunc", "", "bool", "Don't truncate output"),
        ("quiet", "q", "bool", "Only display container IDs"),
        ("size", "s", "bool", "Display total file sizes"),
    ),
    aliases=("container ls", "container list", "container ps", "ps"),
    most=0,
)
