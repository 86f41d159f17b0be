"""The `sampan-runtime` command: runc's global options, the choice of a verb, and how failures are shown.

Verbs       A module each below `verbs`, imported only when called: `COMMAND` (options.Command) and
            `run(context, options) -> int`, whose result is the exit status. They raise sampan.errors.Error or OSError.
Exit codes  0; 1 a verb failed (CommandFailed brings its own); 3 an unknown verb, as runc has it; else what `run` says.
"""

import gc
import os
import sys

from sampan.errors import Error, InvalidArgument
from sampan.runtime.command import options as table
from sampan.runtime.command.context import CommandFailed, Context
from sampan.runtime.command.log import Log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.runtime.command.options import Command, Options

DEFAULT_ROOT = "/run/sampan-runtime"
INTERRUPTED_EXIT = 130
UNKNOWN_VERB_EXIT = 3
# A verb makes fewer objects than this and no cycles among them; the usual 700 costs a collection a few modules.
GC_THRESHOLD = 50_000

VERBS = (
    "checkpoint create delete events exec features kill list mounts pause ps restore resume run spec start state update"
).split()

GLOBAL_FLAGS = (
    table.text("root", "keep the state of containers in DIR", "DIR"),
    table.text("log", "write messages to FILE (also file:, syslog:, journald:)", "FILE"),
    table.text("log-level", "write messages of this level and above: error, warning or debug", "LEVEL"),
    table.text("log-format", "how messages are written: text or json", "FORMAT", "text"),
    table.switch("debug", "write more messages"),
    table.switch("systemd-cgroup", "let systemd make the cgroups; cgroupsPath is slice:prefix:name then"),
    table.text("cgroup-manager", "who makes the cgroups: cgroupfs, systemd or disabled", "NAME", "cgroupfs"),
    table.text("rootless", "tolerate missing rights on cgroups: true, false or auto", "WHETHER", "auto"),
    table.text("criu", "the program for checkpoint and restore", "PATH", "criu"),
    table.switch("version v", "print the version"),
)


def start() -> None:
    """The program. It leaves without the interpreter's own farewell, which takes a quarter of a small command."""
    gc.set_threshold(GC_THRESHOLD)
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)


def main(words: "list[str]") -> int:
    """Run one command line; the exit status."""
    log = Log()
    try:
        options = table.parse(GLOBAL_FLAGS, words, in_order=True)
        log = _log(options)
        code = _dispatch(options, log)
        sys.stdout.flush()
        return code
    except table.HelpWanted:
        return _show_help(None)
    except CommandFailed as failure:
        log.fatal(str(failure))
        return failure.exit_code
    except (Error, OSError) as failure:
        return _fail(failure, log)
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT
    except Exception as failure:
        # The edge: a defect of ours must reach the log that the engine above reads, not only a lost standard error.
        import traceback

        log.debug(traceback.format_exc())
        log.fatal(f"internal error: {type(failure).__name__}: {failure}")
        return 1


def _fail(failure: "Error | OSError", log: Log) -> int:
    if isinstance(failure, BrokenPipeError):
        # The reader of our output left; the interpreter's last flush must not fail over it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for note in getattr(failure, "__notes__", ()):
        log.warning(note)
    log.fatal(_text_of(failure))
    return 1


def _text_of(failure: "Error | OSError") -> str:
    if isinstance(failure, OSError) and failure.filename is not None:
        return f"{failure.filename}: {failure.strerror}"
    return (isinstance(failure, OSError) and failure.strerror) or str(failure)


def _dispatch(options: "Options", log: Log) -> int:
    if options["version"]:
        from sampan.runtime.command import help as help_text

        sys.stdout.write(help_text.version())
        return 0
    words = options.arguments
    if not words or words == ["help"]:
        return _show_help(None)
    if words[0] in ("help", "h"):
        return _show_help(_load(words[1]).COMMAND) if words[1] in VERBS else _unknown(words[1], log)
    if words[0] not in VERBS:
        return _unknown(words[0], log)
    verb = _load(words[0])
    command: Command = verb.COMMAND
    try:
        parsed = table.parse(command.flags, words[1:], in_order=command.in_order)
        _check_count(command, len(parsed.arguments))
    except table.HelpWanted:
        return _show_help(command)
    except table.UsageError:
        sys.stdout.write("Incorrect Usage.\n\n")
        _show_help(command)
        raise
    log.debug(f"command line: {' '.join(words)}")
    code: int = verb.run(_context(options, log), parsed)
    return code


def _load(name: str) -> "Any":
    full = f"sampan.runtime.command.verbs.{name}"
    __import__(full)
    return sys.modules[full]


def _check_count(command: "Command", count: int) -> None:
    if command.least <= count <= command.most:
        return
    many, least = command.most == table.MANY, command.least
    if many or count < least < command.most:
        wanted = f"a minimum of {least}"
    elif command.most > least:
        wanted = f"a maximum of {command.most}"
    else:
        wanted = f"exactly {least}"
    raise table.UsageError(f'sampan-runtime: "{command.name}" requires {wanted} argument(s)')


def _unknown(name: str, log: Log) -> int:
    log.fatal(f"No help topic for '{name}'")
    return UNKNOWN_VERB_EXIT


def _show_help(command: "Command | None") -> int:
    from sampan.runtime.command import help as help_text

    sys.stdout.write(help_text.of_command(command) if command else help_text.of_program())
    sys.stdout.flush()
    return 0


def _log(options: "Options") -> Log:
    level = options["log-level"]
    if level not in ("", "error", "warning", "info", "debug"):
        raise InvalidArgument(f"unknown log-level specified: {level}")
    return Log(options["log"], options["log-format"], debug=options["debug"] or level == "debug")


def _context(options: "Options", log: Log) -> Context:
    manager = "systemd" if options["systemd-cgroup"] else options["cgroup-manager"]
    if manager not in ("cgroupfs", "systemd", "disabled"):
        raise InvalidArgument(f"unknown cgroup manager specified: {manager}")
    rootless = _is_rootless(options["rootless"])
    root = os.path.abspath(options["root"] or _default_root())
    return Context(
        root,
        log,
        cgroup_manager=manager,
        rootless=rootless,
        debug=options["debug"],
        criu=options["criu"] or "criu",
        is_default_root=not options["root"],
    )


def _is_rootless(wanted: str) -> bool:
    """Whether this user may fail to make cgroups: no root, or root of a user namespace that some user made."""
    if wanted not in ("", "auto"):
        if wanted not in ("true", "false"):
            raise InvalidArgument(f"invalid value for --rootless: {wanted}")
        return wanted == "true"
    if os.geteuid() != 0:
        return True
    return _in_user_namespace() and os.environ.get("USER", "root") != "root"


def _in_user_namespace() -> bool:
    try:
        with open("/proc/self/uid_map", "rb") as file:
            return file.read().split() != [b"0", b"0", b"4294967295"]
    except FileNotFoundError:
        return False


def _default_root() -> str:
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    if not folder or not _is_rootless("auto"):
        return DEFAULT_ROOT
    root = f"{folder}/sampan-runtime"
    # Files below XDG_RUNTIME_DIR that nobody uses for a while may be removed, save sticky ones (basedir-spec).
    os.makedirs(root, 0o700, exist_ok=True)
    os.chmod(root, 0o1700)
    return root


if TYPE_CHECKING:
    from typing import Any
