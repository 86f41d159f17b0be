"""`sampan create`, and the creation that `run` shares: image, container, --cidfile.

Errors      Failure with docker's texts; NotFound: the image is missing and may not be pulled.
"""

from __future__ import annotations

import os
import sys

from sampan.cli.command import Command, Failure, write_error
from sampan.cli.create import values
from sampan.cli.create.body import create_body
from sampan.cli.create.flags import CREATE_ONLY, SHARED, by_name
from sampan.errors import Error, InvalidArgument, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.cli.command import Context
    from sampan.cli.flags import Parsed

values.register()


def with_help(message: str, command: str) -> str:
    return f"sampan: {message}\n\nRun 'sampan {command} --help' for more information"


def make_body(parsed: Parsed, command: str) -> dict[str, Any]:
    """The create body; a flag whose value makes no sense ends the command with 125."""
    if parsed["pull"] not in ("", "always", "missing", "never"):
        message = f'invalid pull option: \'{parsed["pull"]}\': must be one of "always", "missing" or "never"'
        raise Failure(with_help(message, command), exit_code=125)
    try:
        return create_body(parsed)
    except InvalidArgument as cause:
        raise Failure(with_help(str(cause), command), exit_code=125) from cause


def create(context: Context, parsed: Parsed, body: dict[str, Any]) -> str:
    """The new container's id; warnings go to stderr."""
    cid_path = parsed["cidfile"]
    if cid_path and os.path.exists(cid_path):
        raise Failure("container ID file found, make sure the other container isn't running or delete " + cid_path)
    query: dict[str, str | list[str]] = {}
    if parsed["name"]:
        query["name"] = parsed["name"]
    if parsed["platform"]:
        query["platform"] = parsed["platform"]
    if parsed["pull"] == "always":
        pull(context, body["Image"], parsed)
    try:
        created = context.engine.post("/containers/create", query, json=body)
    except NotFound as missing:
        if (parsed["pull"] != "missing" and parsed["pull"]) or "No such image" not in str(missing):
            raise
        if not parsed["quiet"]:
            write_error(f"Unable to find image '{_with_tag(body['Image'])}' locally")
        pull(context, body["Image"], parsed)
        created = context.engine.post("/containers/create", query, json=body)
    for warning in created.get("Warnings") or []:
        write_error(f"WARNING: {warning}")
    if cid_path:
        _write_cid(cid_path, created["Id"])
    return str(created["Id"])


def _write_cid(path: str, container_id: str) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with open(fd, "w") as file:
            file.write(container_id)
    except OSError as cause:
        raise Failure(f"failed to create the container ID file: open {path}: {cause.strerror}") from cause


def _with_tag(image: str) -> str:
    return image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"


def pull(context: Context, image: str, parsed: Parsed) -> None:
    """Ask the engine for the image; its progress, one line a step, goes to stderr."""
    from sampan.client import jsontext

    full = _with_tag(image)
    name, separator, tag = full.partition("@")
    if not separator:
        name, _, tag = full.rpartition(":")
    query: dict[str, str | list[str]] = {"fromImage": name, "tag": tag}
    if parsed["platform"]:
        query["platform"] = parsed["platform"]
    response = context.engine.call("POST", "/images/create", query=query)
    for step in jsontext.values(response.pieces()):
        if step.get("error"):
            raise Error(step["error"])
        if not parsed["quiet"] and not step.get("progressDetail"):
            write_error(": ".join(filter(None, (step.get("id"), step.get("status")))))


def run(context: Context, parsed: Parsed) -> int:
    body = make_body(parsed, "create")
    sys.stdout.write(create(context, parsed, body) + "\n")
    return 0


COMMAND = Command(
    "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    "Create a new container",
    run=run,
    flags=by_name(SHARED + CREATE_ONLY),
    aliases=("container create", "create"),
    least=1,
    stops_at_argument=True,
)
