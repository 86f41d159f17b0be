"""The table of commands: where each lives and what it is for. Help is made from it without importing any of them.

Layout      COMMANDS: name -> (module:attribute under sampan.cli, summary); GROUPS: the same for each management
            command; ALIASES: other names within a group.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.cli.command import Command

GLOBAL_FLAGS = (
    ("config", "", "string", "Location of client config files", '"~/.sampan"'),
    (
        "context",
        "c",
        "string",
        "Name of the context to use to connect to the daemon (overrides SAMPAN_HOST and DOCKER_HOST env vars)",
    ),
    ("debug", "D", "bool", "Enable debug mode"),
    ("host", "H", "list", "Daemon socket to connect to"),
    (
        "log-level",
        "l",
        "string",
        'Set the logging level ("debug", "info", "warn", "error", "fatal")',
        '"info"',
    ),
    ("tls", "", "bool", "Use TLS; implied by --tlsverify"),
    ("tlscacert", "", "string", "Trust certs signed only by this CA"),
    ("tlscert", "", "string", "Path to TLS certificate file"),
    ("tlskey", "", "string", "Path to TLS key file"),
    ("tlsverify", "", "bool", "Use TLS and verify the remote"),
    ("version", "v", "bool", "Print version information and quit"),
)

ATTACH = ("container.attach", "Attach local standard input, output, and error streams to a running container")
CREATE = ("container.create", "Create a new container")
EXEC = ("container.exec", "Execute a command in a running container")
KILL = ("container.verbs:KILL", "Kill one or more running containers")
LOGS = ("container.logs", "Fetch the logs of a container")
PS = ("container.ps", "List containers")
RESTART = ("container.verbs:RESTART", "Restart one or more containers")
RM = ("container.verbs:RM", "Remove one or more containers")
RUN = ("container.run", "Create and run a new container from an image")
START = ("container.start", "Start one or more stopped containers")
STOP = ("container.verbs:STOP", "Stop one or more running containers")
WAIT = ("container.verbs:WAIT", "Block until one or more containers stop, then print their exit codes")
HISTORY = ("image.history", "Show the history of an image")
IMAGES = ("image.images", "List images")
IMPORT = ("image.archive:IMPORT", "Import the contents from a tarball to create a filesystem image")
LOAD = ("image.archive:LOAD", "Load an image from a tar archive or STDIN")
RMI = ("image.verbs:RMI", "Remove one or more images")
SAVE = ("image.archive:SAVE", "Save one or more images to a tar archive (streamed to STDOUT by default)")
TAG = ("image.verbs:TAG", "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE")
EVENTS = ("system.events", "Get real time events from the server")
INFO = ("system.info", "Display system-wide information")

COMMON = {
    "run": RUN,
    "exec": EXEC,
    "ps": PS,
    "images": IMAGES,
    "version": ("system.version", "Show the Sampan version information"),
    "info": INFO,
}
MANAGEMENT = {
    "container": "Manage containers",
    "image": "Manage images",
    "system": "Manage Sampan",
}
OTHER = {
    "attach": ATTACH,
    "create": CREATE,
    "events": EVENTS,
    "history": HISTORY,
    "import": IMPORT,
    "inspect": ("system.inspect", "Return low-level information on Sampan objects"),
    "kill": KILL,
    "load": LOAD,
    "logs": LOGS,
    "restart": RESTART,
    "rm": RM,
    "rmi": RMI,
    "save": SAVE,
    "start": START,
    "stop": STOP,
    "tag": TAG,
    "wait": WAIT,
}
COMMANDS = {**COMMON, **OTHER}
GROUPS = {
    "container": {
        "attach": ATTACH,
        "create": CREATE,
        "exec": EXEC,
        "inspect": ("system.inspect:CONTAINER", "Display detailed information on one or more containers"),
        "kill": KILL,
        "logs": LOGS,
        "ls": PS,
        "restart": RESTART,
        "rm": RM,
        "run": RUN,
        "start": START,
        "stop": STOP,
        "wait": WAIT,
    },
    "image": {
        "history": HISTORY,
        "import": IMPORT,
        "inspect": ("system.inspect:IMAGE", "Display detailed information on one or more images"),
        "load": LOAD,
        "ls": IMAGES,
        "rm": RMI,
        "save": SAVE,
        "tag": TAG,
    },
    "system": {
        "events": EVENTS,
        "info": INFO,
    },
}
ALIASES = {
    ("container", "list"): "ls",
    ("container", "ps"): "ls",
    ("container", "remove"): "rm",
    ("image", "list"): "ls",
    ("image", "remove"): "rm",
}


def find(words: list[str]) -> tuple[str, str, list[str]] | None:
    """(canonical path, module reference or "" for a bare group, remaining words); None: no such command."""
    if not words:
        return None
    first = words[0]
    if first in COMMANDS:
        return first, COMMANDS[first][0], words[1:]
    group = GROUPS.get(first)
    if group is None:
        return None
    if len(words) > 1:
        name = ALIASES.get((first, words[1]), words[1])
        if name in group:
            return f"{first} {name}", group[name][0], words[2:]
    return first, "", words[1:]


def load(reference: str) -> Command:
    """Import the one module that defines a command."""
    name, _, attribute = reference.partition(":")
    module = __import__(f"sampan.cli.{name}", fromlist=["COMMAND"])
    found: Command = getattr(module, attribute or "COMMAND")
    return found
