"""POST /containers/{id}/exec: note what is to be run; nothing runs yet."""

from sampan import errors
from sampan.api.wire.exec import ExecConfig
from sampan.base.ids import new_id
from sampan.engine.containers.attach import parse_detach_keys
from sampan.engine.containers.kill import not_running
from sampan.engine.containers.notify import notify
from sampan.engine.containers.registry import Container
from sampan.engine.containers.states import State
from sampan.engine.execs.registry import Exec, Execs


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
    found = Exec(new_id(), container, config)
    deps.registry.add(found, deps.containers.clock.now_ns())
    container.exec_ids.append(found.id)
    program, args = found.command
    notify(deps.containers, container, f"exec_create: {program} {' '.join(args)}", execID=found.id)
    return found.id


def check_ready(container: Container, ref: str) -> None:
    """A process can be added to it."""
    if container.state is State.PAUSED:
        raise errors.Conflict(f"container {ref} is paused, unpause the container before exec")
    if container.shim is None or not container.is_running:
        raise not_running(container)
