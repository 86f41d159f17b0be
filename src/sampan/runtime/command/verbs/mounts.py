"""`mounts add|remove`: mounts of a running container, listed in a JSON file as config.json has them (crun's command).

Sources are opened in our mount namespace, targets in the container's, which a child joins: the child's errors come back
through a pipe, since our own files (the log) are not to be looked for inside the container.
"""

import os

from sampan.base import jsontext
from sampan.errors import Conflict, Internal, InvalidArgument
from sampan.runtime.command import signals
from sampan.runtime.command.options import Command
from sampan.runtime.command.store import STOPPED, Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

COMMAND = Command(
    "mounts",
    "[add|remove] CONTAINER FILE",
    "add mounts to a running container, or remove them",
    least=3,
    most=3,
)


def run(context: "Context", options: "Options") -> int:
    action, name, path = options.arguments
    if action not in ("add", "remove"):
        raise InvalidArgument(f"unknown command {action}")
    mounts = read(path)
    container = Container.load(context.root, name)
    with container.locked():
        if container.status() == STOPPED:
            raise Conflict(f"the container `{name}` is not running")
        pidfd = signals.open_init(container)
        if pidfd < 0:
            raise Conflict(f"the container `{name}` is not running")
        _in_child(pidfd, mounts, is_adding=action == "add")
    return 0


def read(path: str) -> "list[dict[str, Any]]":
    """The mounts of a file; InvalidArgument when it is no list of them."""
    with open(path, "rb") as file:
        text = file.read()
    try:
        mounts = jsontext.loads(text)
    except ValueError as error:
        raise InvalidArgument(f"cannot parse {path}: {error}") from error
    if not isinstance(mounts, list):
        raise InvalidArgument("mounts must be an array")
    for mount in mounts:
        if not isinstance(mount, dict) or not isinstance(mount.get("destination"), str):
            raise InvalidArgument(f"cannot parse mount: {mount}")
    return mounts


def _in_child(pidfd: int, mounts: "list[dict[str, Any]]", *, is_adding: bool) -> None:
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if not pid:
        message = b""
        try:
            os.close(read_fd)
            (_add if is_adding else _remove)(pidfd, mounts)
        except BaseException as error:
            text = getattr(error, "strerror", None) or str(error)
            message = " ".join([*getattr(error, "__notes__", ()), text]).encode("utf-8", "surrogateescape")
        finally:
            os.write(write_fd, message or b"\0")
            os._exit(0)
    os.close(write_fd)
    with os.fdopen(read_fd, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    if answer != b"\0":
        raise Internal(answer.decode("utf-8", "surrogateescape") or "the process inside the container was killed")


def _add(pidfd: int, mounts: "list[dict[str, Any]]") -> None:
    from sampan.runtime import rootfs
    from sampan.runtime.steps import Root

    steps, again = rootfs.plan_mounts({"mounts": mounts}, {})
    steps += again
    for step in steps:
        step.share()
        step.prepare()
    root = Root(lambda: None)
    root.fd = _enter(pidfd)
    for step in steps:
        try:
            step.execute(root)
        except BaseException as error:
            error.add_note(f"cannot {step.describe()}:")
            raise


def _remove(pidfd: int, mounts: "list[dict[str, Any]]") -> None:
    from sampan.linux import syscalls
    from sampan.linux.constants import MNT_DETACH
    from sampan.linux.rootpath import open_in_root

    # The host's: by its links a descriptor is unmounted, not a name, which the container may have moved meanwhile.
    links_fd = os.open("/proc/self/fd", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    root_fd = _enter(pidfd)
    os.fchdir(links_fd)
    for mount in reversed(mounts):
        try:
            fd = open_in_root(root_fd, mount["destination"], os.O_PATH)
            syscalls.umount2(str(fd), MNT_DETACH)
            os.close(fd)
        except OSError as error:
            error.add_note(f"cannot unmount {mount['destination']}:")
            raise


def _enter(pidfd: int) -> int:
    from sampan.linux import syscalls
    from sampan.linux.constants import CLONE_NEWNS

    syscalls.setns(pidfd, CLONE_NEWNS)
    return os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
