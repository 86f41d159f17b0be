"""`create`: a container whose program waits for `start`."""

import os

from sampan.errors import InvalidArgument
from sampan.runtime import attributes, labels
from sampan.runtime.command import config, descriptors, guard
from sampan.runtime.command.launch import Launch, Wishes
from sampan.runtime.command.options import Command, number, switch, text
from sampan.runtime.command.store import Container
from sampan.runtime.restrict import StageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

FLAGS = (
    text("bundle b", "the directory with config.json", "DIR"),
    text("config f", "read the configuration from FILE instead of config.json", "FILE"),
    text("console-socket", "send the terminal's master to the unix socket PATH", "PATH"),
    text("pidfd-socket", "send a pidfd of the container's first process to the unix socket PATH", "PATH"),
    text("pid-file", "write the pid of the container's first process to FILE", "FILE"),
    number("preserve-fds", "pass N descriptors from 3 on to the program", default=0),
    switch("no-pivot", "enter the root by MS_MOVE and chroot (for a root on the initial RAM disk)"),
    switch("no-new-keyring", "leave the session keyring as it is"),
    switch("no-subreaper", "accepted, without effect: nothing is left to be reaped"),
)
COMMAND = Command("create", "CONTAINER", "make a container; its program waits for start", FLAGS)


def run(context: "Context", options: "Options") -> int:
    guard.enter()
    prepared(context, options, gate=True).leave()
    return 0


def prepared(context: "Context", options: "Options", *, gate: bool, is_detached: bool = True) -> Launch:
    """A new container of what the options say, up to its wait for go."""
    preserved = descriptors.take(options["preserve-fds"] + descriptors.activated())
    bundle = os.path.abspath(options["bundle"] or ".")
    pid_file = os.path.abspath(options["pid-file"]) if options["pid-file"] else ""  # the caller's directory counts
    pidfd_socket = os.path.abspath(options["pidfd-socket"]) if options["pidfd-socket"] else ""
    os.chdir(bundle)
    spec = config.load(bundle, name=options["config"] or "config.json")
    for warning in config.validate(spec, bundle, rootless=context.rootless):
        context.log.warning(warning)
    check_process(context, spec.get("process") or {}, spec.get("linux") or {})
    has_terminal = bool((spec.get("process") or {}).get("terminal"))
    check_console(has_terminal, options["console-socket"], is_detached=is_detached)
    if has_terminal and not options["console-socket"]:
        from sampan.runtime.command import foreground

        foreground.fit(spec["process"])
    container = Container.make(context.root, options.arguments[0], bundle=bundle, spec=spec)
    wishes = Wishes(
        console_socket=options["console-socket"],
        pid_file=pid_file,
        pidfd_socket=pidfd_socket,
        preserved_fds=preserved,
        no_pivot=options["no-pivot"],
        no_new_keyring=options["no-new-keyring"],
        gate=gate,
    )
    launch = Launch(context, container, wishes)
    launch.prepare()
    return launch


def check_process(context: "Context", process: "dict[str, Any]", linux: "dict[str, Any]") -> None:
    """Refuse what would only fail when the container is half-made."""
    try:
        labels.check(process)
        for warning in attributes.check(process, linux):
            context.log.warning(warning)
    except StageError as error:
        raise InvalidArgument(str(error)) from error


def check_console(has_terminal: bool, console_socket: str, *, is_detached: bool) -> None:
    """InvalidArgument where a terminal would have nobody at its other end, or a socket no terminal."""
    if has_terminal and is_detached and not console_socket:
        text = "cannot allocate tty if the runtime will detach without setting console socket"
        raise InvalidArgument(f"{text}: use --console-socket with --detach when a terminal is used")
    if not has_terminal and console_socket:
        raise InvalidArgument("cannot use console socket if the runtime will not detach or allocate tty")
