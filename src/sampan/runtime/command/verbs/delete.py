"""`delete`: removes what a container holds. One that runs has to be killed first, or is, with --force."""

import os

from sampan.errors import Conflict, NotFound
from sampan.runtime.command.destroy import destroy, kill_and_destroy
from sampan.runtime.command.options import Command, switch
from sampan.runtime.command.store import CREATED, STOPPED, Container, check_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

COMMAND = Command(
    "delete",
    "CONTAINER",
    "remove what a stopped container holds",
    (
        switch("force f", "kill its processes first; a container that does not exist is no error"),
        switch("regex r", "CONTAINER is a regular expression: remove all that match"),
    ),
)


def run(context: "Context", options: "Options") -> int:
    name, force = options.arguments[0], options["force"]
    if options["regex"]:
        from sampan.runtime.command.selection import matching

        for container in matching(context.root, name):
            delete(context, container.id, force=force)
        return 0
    delete(context, name, force=force)
    return 0


def delete(context: "Context", id: str, *, force: bool) -> None:
    """Remove one container."""
    try:
        with Container.load(context.root, id).locked() as container:
            _delete(context, container, force=force)
    except NotFound:
        _sweep(context.root, id)
        if not force:
            raise


def _delete(context: "Context", container: Container, *, force: bool) -> None:
    status = container.status()
    if force or status == CREATED:
        kill_and_destroy(context, container)
    elif status == STOPPED:
        destroy(context, container)
    else:
        raise Conflict(f"cannot delete container {container.id} that is not stopped: {status}")


def _sweep(root: str, id: str) -> None:
    """Remove what a `create` left that was killed before it wrote a state; a directory with folders is not its."""
    check_id(id)
    path = f"{root}/{id}"
    try:
        found = list(os.scandir(path))
        if any(entry.is_dir(follow_symlinks=False) or entry.name == "status" for entry in found):
            return
        for entry in found:
            os.unlink(entry.path)
        os.rmdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return
