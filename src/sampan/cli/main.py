"""The `sampan` command: global flags, the choice of a command, and how its failures are shown.

Exit codes  0; 1 a command failed; 125 a flag is wrong, or `run` could not run; 126, 127 the container's command could
            not be executed or found; 130 interrupted; else what the container's process returned.
"""

from __future__ import annotations

import gc
import os
import sys

from sampan.cli import commands
from sampan.cli.command import Context, Failure
from sampan.cli.flags import HelpWanted, UsageError, parse
from sampan.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sampan.cli.command import Command
    from sampan.cli.flags import Parsed
    from sampan.client.engine import Engine

USAGE_EXIT = 125
INTERRUPTED_EXIT = 130
BROKEN_PIPE_EXIT = 141
# A command makes fewer objects than this and no cycles among them; the usual 700 costs a collection a few modules.
GC_THRESHOLD = 50_000


def start() -> None:
    """The program. It leaves without the interpreter's own farewell, which takes a quarter of a small command."""
    gc.set_threshold(GC_THRESHOLD)
    code = main()
    sys.stderr.flush()
    os._exit(code)


def main(words: Sequence[str] | None = None) -> int:
    try:
        code = _dispatch(list(sys.argv[1:] if words is None else words))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader of our output left. Nothing more can be said to it, also not by the interpreter's last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return BROKEN_PIPE_EXIT
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT


def _dispatch(words: list[str]) -> int:
    try:
        parsed = parse(commands.GLOBAL_FLAGS, words, stops_at_argument=True)
    except HelpWanted as wanted:
        return _show_root_help(wanted)
    except UsageError as failure:
        return _usage_failure(str(failure), "Usage:  sampan [OPTIONS] COMMAND [ARG...]", "sampan", USAGE_EXIT)
    if parsed["version"]:
        from sampan import __version__

        sys.stdout.write(f"Sampan version {__version__}\n")
        return 0
    if not parsed.arguments:
        from sampan.cli import root_help

        sys.stderr.write(root_help.text())
        return 0
    if parsed["log-level"] not in ("", "debug", "info", "warn", "error", "fatal"):
        return _fail(f"Unable to parse logging level: {parsed['log-level']}", 1)
    if parsed.arguments[0] == "help":
        return _help_command(parsed.arguments[1:])
    return _find_and_run(parsed)


def _find_and_run(options: Parsed) -> int:
    words = options.arguments
    found = commands.find(words)
    if found is None:
        return _unknown_command(words)
    path, reference, rest = found
    if not reference:
        if not rest or rest[0] == "--help":
            from sampan.cli import root_help

            (sys.stdout if rest else sys.stderr).write(root_help.group_text(path))
            return 0
        return _unknown_command(words)
    return _run(commands.load(reference), path, rest, options)


def _run(command: Command, path: str, words: list[str], options: Parsed) -> int:
    from sampan.cli import command as shapes

    usage = f"Usage:  sampan {path} {command.usage}".rstrip()
    try:
        parsed = parse(command.flags, words, stops_at_argument=command.stops_at_argument)
    except HelpWanted as wanted:
        return _show_help(command, path, wanted)
    except UsageError as failure:
        return _usage_failure(str(failure), usage, f"sampan {path}", USAGE_EXIT)
    count = len(parsed.arguments)
    if not command.least <= count <= command.most:
        is_open = command.most == shapes.MANY
        message = f"sampan: 'sampan {path}' {_wanted_arguments(command, is_open=is_open)}"
        return _usage_failure(message, usage, f"sampan {path}", 1, lead="See" if is_open else "Run")
    context = Context(path, lambda: _make_engine(options))
    try:
        return command.run(context, parsed)
    except Failure as failure:
        return _fail(str(failure), failure.exit_code)
    except Error as failure:
        return _fail(str(failure), 1)
    finally:
        context.close()


def _wanted_arguments(command: Command, *, is_open: bool) -> str:
    if command.most == 0:
        return "accepts no arguments"
    count = command.least
    if is_open:
        return f"requires at least {count} argument{'s' if count > 1 else ''}"
    if command.least == command.most:
        return f"requires {count} argument{'s' if count > 1 else ''}"
    count = command.most
    return f"requires at most {count} argument{'s' if count > 1 else ''}"


def _make_engine(options: Parsed) -> Engine:
    from sampan import __version__
    from sampan.client import engine, hosts

    if options["context"] not in ("", "default"):
        name = options["context"]
        raise Error(
            f'Failed to initialize: unable to resolve docker endpoint: context "{name}": context not found: '
            "Sampan has only the default context"
        )
    for flag in ("tls", "tlsverify"):
        if options[flag]:
            raise Error(f"--{flag}: connections with TLS are not supported yet")
    given = options["host"]
    if len(given) > 1:
        raise Error("Specify only one -H")
    chosen = given[0] if given else os.environ.get("SAMPAN_HOST") or os.environ.get("DOCKER_HOST") or ""
    host = hosts.parse_host(chosen or hosts.DEFAULT_HOST)
    start = None
    if host.text == hosts.DEFAULT_HOST:
        from sampan.cli import autostart

        start = autostart.starter(host)
    return engine.Engine(
        host,
        api_version=os.environ.get("DOCKER_API_VERSION", ""),
        user_agent=f"Sampan-Client/{__version__} (linux)",
        start=start,
    )


def _show_root_help(wanted: HelpWanted) -> int:
    from sampan.cli import root_help

    _note_shorthand(wanted)
    sys.stdout.write(root_help.text())
    return 0


def _show_help(command: Command, path: str, wanted: HelpWanted) -> int:
    from sampan.cli import help as help_text

    _note_shorthand(wanted)
    sys.stdout.write(help_text.command_help(command, path, width=help_text.terminal_width()))
    return 0


def _note_shorthand(wanted: HelpWanted) -> None:
    if wanted.is_shorthand:
        sys.stdout.write("Flag shorthand -h has been deprecated, use --help\n")


def _help_command(words: list[str]) -> int:
    from sampan.cli import root_help

    found = commands.find(words)
    if not words:
        sys.stdout.write(root_help.text())
        return 0
    if found is None:
        return _fail(f"unknown help topic: {' '.join(words)}", 1)
    path, reference, _ = found
    if not reference:
        sys.stdout.write(root_help.group_text(path))
        return 0
    return _show_help(commands.load(reference), path, HelpWanted(is_shorthand=False))


def _unknown_command(words: list[str]) -> int:
    if words[0] in commands.GROUPS:
        unknown = f"sampan: unknown command: sampan {' '.join(words[:2])}\n\nUsage:  sampan {words[0]}"
        return _fail(f"{unknown}\n\nRun 'sampan {words[0]} --help' for more information", 1)
    return _fail(f"sampan: unknown command: sampan {words[0]}\n\nRun 'sampan --help' for more information", 1)


def _usage_failure(message: str, usage: str, path: str, exit_code: int, *, lead: str = "Run") -> int:
    return _fail(f"{message}\n\n{usage}\n\n{lead} '{path} --help' for more information", exit_code)


def _fail(message: str, exit_code: int) -> int:
    sys.stdout.flush()
    if message:
        sys.stderr.write(message + "\n")
        sys.stderr.flush()
    return exit_code
