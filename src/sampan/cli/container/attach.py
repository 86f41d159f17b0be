"""`sampan attach`: our terminal becomes a running container's."""

from __future__ import annotations

from sampan.cli import signals
from sampan.cli.command import Command, Failure
from sampan.cli.container import attached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.cli.command import Context
    from sampan.cli.flags import Parsed


def _check_running(state: dict[str, Any]) -> None:
    if not state.get("Running"):
        raise Failure("You cannot attach to a stopped container, start it first")
    if state.get("Paused"):
        raise Failure("You cannot attach to a paused container, unpause it first")
    if state.get("Restarting"):
        raise Failure("You cannot attach to a restarting container, wait until it is running")


def run(context: Context, parsed: Parsed) -> int:
    # The wait comes first: a container that ends while we look is not missed.
    name = parsed.arguments[0]
    waiting = attached.begin_wait(context, name, condition="")
    found = context.engine.get(f"/containers/{name}/json")
    _check_running(found["State"])
    container, config = found["Id"], found["Config"]
    tty = config["Tty"]
    streams = {"stdout", "stderr"}
    if not parsed["no-stdin"] and config["OpenStdin"]:
        streams.add("stdin")
    attached.check_tty(tty=tty, stdin="stdin" in streams)
    if parsed["sig-proxy"] and not tty:
        signals.proxy(context, container)
    session = attached.attach(context, container, streams=streams, tty=tty, detach_keys=parsed["detach-keys"])
    path = f"/containers/{container}"

    def follow_size() -> None:
        # A size that differs by one first: programs redraw their screen on a change only.
        signals.resize(context, path, 1, grow=1)
        signals.follow_size(context, path, 1)

    attached.converse(session, streams, tty=tty, follow_size=follow_size)
    if session.detached:
        raise Failure("read escape sequence")
    return attached.exit_status(waiting)


COMMAND = Command(
    "[OPTIONS] CONTAINER",
    "Attach local standard input, output, and error streams to a running container",
    run=run,
    flags=(
        ("detach-keys", "", "string", "Override the key sequence for detaching a container"),
        ("no-stdin", "", "bool", "Do not attach STDIN"),
        ("sig-proxy", "", "bool-on", "Proxy all received signals to the process", "true"),
    ),
    aliases=("container attach", "attach"),
    least=1,
    most=1,
)
