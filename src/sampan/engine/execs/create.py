"""POST /containers/{id}/exec: note what is to be run; nothing runs yet."""

import os

from sampan import errors
from sampan.api.wire.exec import ExecConfig
from sampan.base.ids import new_id
from sampan.base.tasks import run_blocking
from sampan.engine.containers.attach import parse_detach_keys
from sampan.engine.containers.kill import not_running
from sampan.engine.containers.notify import notify
from sampan.engine.containers.registry import Container
from sampan.engine.containers.states import State
from sampan.engine.execs.registry import Exec, Execs
from sampan.runtime.identity import IdentityError, look_up


async def create(deps: Execs, ref: str, config: ExecConfig) -> str:
    """The new exec's id."""
    container = deps.containers.registry.get(ref)
    check_ready(container, ref)
    if not config.cmd:
        raise errors.InvalidArgument("No exec command specified")
    if config.detach_keys:
        parse_detach_keys(config.detach_keys)
    for variable in config.env or ():
        if not variable.partition("=")[0]:
            raise errors.InvalidArgument(f"invalid environment variable: {variable}")
    if config.user:
        await run_blocking("disk", _check_user, container.pid, config.user)
    found = Exec(new_id(), container, config)
    deps.registry.add(found, deps.containers.clock.now_ns())
    container.exec_ids.append(found.id)
    program, args = found.command
    notify(deps.containers, container, f"exec_create: {program} {' '.join(args)}", execID=found.id)
    return found.id


def _check_user(pid: int, user: str) -> None:
    """Refuse a name that the container does not know; the container's own files say, as the process sees them."""
    try:
        root_fd = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return  # it is ending: the start will tell
    try:
        look_up(root_fd, user, [])
    except IdentityError as error:
        raise errors.InvalidArgument(str(error)) from error
    finally:
        os.close(root_fd)


def check_ready(container: Container, ref: str) -> None:
    """A process can be added to it."""
    if container.state is State.PAUSED:
        raise errors.Conflict(f"container {ref} is paused, unpause the container before exec")
    if container.shim is None or not container.is_running:
        raise not_running(container)
