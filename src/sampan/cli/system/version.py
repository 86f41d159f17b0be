"""`sampan version`: ours and the engine's."""

from __future__ import annotations

import os
import sys

from sampan import __version__
from sampan.cli.command import Command, Failure
from sampan.cli.output import document, times
from sampan.client.engine import NEWEST_API
from sampan.errors import Error, InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.cli.command import Context
    from sampan.cli.flags import Parsed

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
NAME_WIDTH = 18


def client_version(context: Context) -> dict[str, Any]:
    machine = os.uname().machine
    python = ".".join(str(part) for part in sys.version_info[:3])
    return {
        "Version": __version__,
        "ApiVersion": context.engine.api_version,
        "DefaultAPIVersion": NEWEST_API,
        "PythonVersion": python,
        "Os": "linux",
        "Arch": ARCHITECTURES.get(machine, machine),
        "Context": "default",
    }


def _line(indent: int, name: str, value: object) -> str:
    return f"{' ' * indent}{name}:".ljust(NAME_WIDTH + indent) + f" {value}\n"


def client_text(client: dict[str, Any]) -> str:
    api = client["ApiVersion"]
    if api != client["DefaultAPIVersion"]:
        api += f" (downgraded from {client['DefaultAPIVersion']})"
    lines = (
        ("Version", client["Version"]),
        ("API version", api),
        ("Python version", client["PythonVersion"]),
        ("OS/Arch", f"{client['Os']}/{client['Arch']}"),
        ("Context", client["Context"]),
    )
    return "Client:\n" + "".join(_line(1, name, value) for name, value in lines)


def server_text(server: dict[str, Any]) -> str:
    platform = (server.get("Platform") or {}).get("Name", "")
    parts = [f"\nServer: {platform}".rstrip() if platform else "\nServer:", "\n"]
    for component in server.get("Components") or []:
        details = dict(component.get("Details") or {})
        parts.append(f" {component['Name']}:\n")
        parts.append(_line(2, "Version", component["Version"]).replace(" " * 3 + " ", " " * 3 + " "))
        if component["Name"] == "Engine":
            parts.append(_engine_lines(details))
        else:
            parts += [_line(2, name, details[name]) for name in sorted(details)]
    return "".join(parts)


def _engine_lines(details: dict[str, str]) -> str:
    built = details.get("BuildTime", "")
    try:
        built = times.ansi(times.parse_rfc3339(built))
    except InvalidArgument:
        # Some builds carry their own wording; it is shown as it is.
        built = details.get("BuildTime", "")
    api = f"{details.get('ApiVersion', '')} (minimum version {details.get('MinAPIVersion', '')})"
    lines = [
        ("API version", api),
        ("Python version", details.get("PythonVersion")),
        ("Go version", details.get("GoVersion")),
        ("Git commit", details.get("GitCommit")),
        ("Built", built or None),
        ("OS/Arch", f"{details.get('Os', '')}/{details.get('Arch', '')}"),
        ("Experimental", details.get("Experimental", "false")),
    ]
    return "".join(_line(2, name, value) for name, value in lines if value is not None)


def run(context: Context, parsed: Parsed) -> int:
    form = parsed["format"]
    if form not in ("", "json"):
        document.parse_template(form)
    failure: Error | None = None
    server: dict[str, Any] | None = None
    try:
        context.engine.negotiate()
        server = context.engine.get("/version")
    except Error as cause:
        failure = cause
    client = client_version(context)
    if form:
        sys.stdout.write(document.format_document({"Client": client, "Server": server}, form) + "\n")
    else:
        sys.stdout.write(client_text(client) + (server_text(server) if server else ""))
    if failure is not None:
        raise Failure(str(failure))
    return 0


COMMAND = Command(
    "[OPTIONS]",
    "Show the Sampan version information",
    run=run,
    flags=(("format", "f", "string", document.FORMAT_HELP),),
    most=0,
)
