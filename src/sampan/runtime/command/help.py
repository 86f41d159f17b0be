"""The texts of --help and --version.

`--version` begins as runc's does ("NAME version X", "spec: X") and ends with crun's line of "+FEATURE" words. Docker
takes the program's version from what follows the last "version" of the whole text.
"""

import os

from sampan import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sampan.runtime.command.options import Command, Flag

SPEC_VERSION = "1.2.1"
RUNC_VERSION = "1.3"
CRUN_VERSION = "1.25"

_SUMMARIES = (
    ("checkpoint", "write a running container's state to files, with CRIU"),
    ("create", "make a container; its process waits for start"),
    ("delete", "remove what a stopped container holds"),
    ("events", "print what happens to a container, and its statistics"),
    ("exec", "run a further process in a container"),
    ("features", "print what this runtime can do"),
    ("kill", "send a signal to a container's first process"),
    ("list", "list containers"),
    ("mounts", "add mounts to a running container, or remove them"),
    ("pause", "suspend all processes of a container"),
    ("ps", "list the processes of a container"),
    ("restore", "bring a container back from a checkpoint"),
    ("resume", "let the processes of a paused container go on"),
    ("run", "create a container and start it"),
    ("spec", "write a config.json to begin with"),
    ("start", "let the process of a created container begin"),
    ("state", "print the state of a container"),
    ("update", "change the limits of a container"),
)


def version() -> str:
    """What --version prints."""
    name = "sampan-runtime"
    return (
        f"{name} version {__version__}\n"
        f"spec: {SPEC_VERSION}\n"
        f"command line: runc version {RUNC_VERSION}, crun version {CRUN_VERSION}; this is version {__version__}\n"
        f"{' '.join(_features())}\n"
    )


def _features() -> "list[str]":
    words = ["+SYSTEMD", "+SELINUX", "+APPARMOR", "+CAP", "+SECCOMP", "+EBPF"]
    for folder in os.environ.get("PATH", os.defpath).split(":"):
        if os.access(f"{folder}/criu", os.X_OK):
            return [*words, "+CRIU"]
    return words


def of_program() -> str:
    """What `sampan-runtime --help` prints."""
    from sampan.runtime.command.main import GLOBAL_FLAGS

    return (
        "NAME:\n   sampan-runtime - puts a process into a container, as the OCI runtime specification has it\n\n"
        "USAGE:\n   sampan-runtime [global options] command [command options] [arguments...]\n\n"
        f"VERSION:\n   {__version__}\n   spec: {SPEC_VERSION}\n\n"
        "COMMANDS:\n"
        + "".join(f"   {name:<12}{summary}\n" for name, summary in _SUMMARIES)
        + "   help, h     print this, or the help of one command\n\n"
        + "GLOBAL OPTIONS:\n"
        + _table([*_rows(GLOBAL_FLAGS), ("--help, -h", "print this")])
    )


def of_command(command: "Command") -> str:
    """What `sampan-runtime VERB --help` prints."""
    usage = f"{command.name}{' [command options]' if command.flags else ''} {command.usage}"
    text = (
        f"NAME:\n   sampan-runtime {command.name} - {command.summary}\n\n"
        f"USAGE:\n   sampan-runtime {usage}\n\n"
        # Who comes from crun looks for its line.
        f"   The same as: runc {usage}\n   Usage: crun [OPTION...] {command.name} {command.usage}\n"
    )
    if command.notes:
        text += f"\nDESCRIPTION:\n   {command.notes.strip()}\n"
    return text + "\nOPTIONS:\n" + _table([*_rows(command.flags), ("--help, -h", "print this")])


def _rows(flags: "Sequence[Flag]") -> "list[tuple[str, str]]":
    rows = []
    for flag in flags:
        names = ", ".join(f"{'-' if len(name) == 1 else '--'}{name}" for name in flag.names)
        left = f"{names} {flag.value}".rstrip()
        shown = flag.default if flag.kind in ("text", "number") else None
        rows.append((left, flag.help + (f" (default: {shown})" if shown not in (None, "") else "")))
    return rows


def _table(rows: "list[tuple[str, str]]") -> str:
    width = max(len(left) for left, _ in rows) + 2
    return "".join(f"   {left:<{width}}{right}\n" for left, right in rows)
