"""`sampan inspect`: everything about containers, images and other objects, as the engine's JSON.

Invariants  1. Without --format the engine's own text is shown, indented; nothing is decoded and encoded again.
            2. `image inspect --platform` is refused for an engine that would overlook it.
"""

from __future__ import annotations

import sys

from sampan.cli.command import Command, Failure
from sampan.cli.output import document
from sampan.client import jsontext
from sampan.errors import Error, NotFound, Unavailable, Unimplemented

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sampan.cli.command import Context
    from sampan.cli.flags import Parsed

    Find = Callable[[str], str]

BAD_TEMPLATE_EXIT = 64
PLATFORM_SINCE_API = (1, 49)
# In docker's order of trying.
PATHS = {
    "container": "/containers/{}/json",
    "image": "/images/{}/json",
    "network": "/networks/{}",
    "volume": "/volumes/{}",
    "service": "/services/{}",
    "task": "/tasks/{}",
    "node": "/nodes/{}",
    "plugin": "/plugins/{}/json",
    "secret": "/secrets/{}",
    "config": "/configs/{}",
}


def _fetch(context: Context, kind: str, name: str, *, size: bool) -> str:
    return _text(context, kind, name, {"size": "1"} if size and kind == "container" else {})


def _text(context: Context, kind: str, name: str, query: dict[str, str | list[str]]) -> str:
    return context.engine.call("GET", PATHS[kind].format(name), query=query).read().decode("utf-8", "surrogateescape")


def _fetch_any(context: Context, name: str, *, size: bool) -> str:
    """The first kind that has an object of this name; kinds this engine does not have are passed over."""
    for kind in PATHS:
        try:
            return _fetch(context, kind, name, size=size)
        except (NotFound, Unimplemented):
            continue
        except Unavailable as failure:
            if "swarm manager" not in str(failure):
                raise
    raise NotFound(f"Error: No such object: {name}")


def show(names: Sequence[str], find: Find, form: str) -> int:
    template = None
    if form not in ("", "json"):
        try:
            template = document.parse_template(form)
        except Error as cause:
            raise Failure(str(cause), exit_code=BAD_TEMPLATE_EXIT) from cause
    failures: list[str] = []
    found: list[str] = []
    for name in names:
        try:
            text = find(name)
            if template is not None:
                text = document.render(template, jsontext.loads(text))
        except Error as failure:
            failures.append(str(failure))
            continue
        found.append(text)
    if template is None:
        listing = f"[{','.join(text.strip() for text in found)}]"
        if form == "json":
            sys.stdout.write(jsontext.dumps(jsontext.loads(listing)) + "\n")
        else:
            sys.stdout.write(jsontext.indent(listing, "    ") + "\n")
    else:
        sys.stdout.write("".join(text + "\n" for text in found) or "\n")
    sys.stdout.flush()
    if failures:
        raise Failure("\n".join(failures))
    return 0


def run(context: Context, parsed: Parsed) -> int:
    kind = parsed["type"]
    if "type" in parsed.changed and kind not in PATHS:
        kinds = ", ".join(f'"{name}"' for name in sorted(PATHS))
        if not kind:
            raise Failure(f"type is empty: must be one of {kinds}")
        raise Failure(f'unknown type: "{kind}": must be one of {kinds}')
    size = parsed["size"]
    if kind:
        return show(parsed.arguments, lambda name: _fetch(context, kind, name, size=size), parsed["format"])
    return show(parsed.arguments, lambda name: _fetch_any(context, name, size=size), parsed["format"])


def run_container(context: Context, parsed: Parsed) -> int:
    size = parsed["size"]
    return show(parsed.arguments, lambda name: _fetch(context, "container", name, size=size), parsed["format"])


def run_image(context: Context, parsed: Parsed) -> int:
    query: dict[str, str | list[str]] = {}
    if parsed["platform"]:
        from sampan.cli.image.platforms import platform_json

        query["platform"] = platform_json(parsed["platform"])
        _require_platform_parameter(context)
    return show(parsed.arguments, lambda name: _text(context, "image", name, query), parsed["format"])


def _require_platform_parameter(context: Context) -> None:
    engine = context.engine
    engine.negotiate()
    if tuple(int(part) for part in engine.api_version.split(".")) < PLATFORM_SINCE_API:
        wanted = ".".join(map(str, PLATFORM_SINCE_API))
        raise Failure(
            f'"--platform" requires API version {wanted}, but the Sampan daemon API version is {engine.api_version}'
        )


_FORMAT = ("format", "f", "string", document.FORMAT_HELP)
COMMAND = Command(
    "[OPTIONS] NAME|ID [NAME|ID...]",
    "Return low-level information on Sampan objects",
    run=run,
    flags=(
        _FORMAT,
        ("size", "s", "bool", "Display total file sizes if the type is container"),
        ("type", "", "string", "Only inspect objects of the given type"),
    ),
    least=1,
)
CONTAINER = Command(
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Display detailed information on one or more containers",
    run=run_container,
    flags=(_FORMAT, ("size", "s", "bool", "Display total file sizes")),
    least=1,
)
IMAGE = Command(
    "[OPTIONS] IMAGE [IMAGE...]",
    "Display detailed information on one or more images",
    run=run_image,
    flags=(
        _FORMAT,
        (
            "platform",
            "",
            "string",
            "Inspect a specific platform of the multi-platform image. If the image or the server is not multi-platform "
            "capable, the command will error out if the platform does not match. 'os[/arch[/variant]]': Explicit "
            "platform (eg. linux/amd64)",
        ),
    ),
    least=1,
)
