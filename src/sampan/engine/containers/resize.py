"""POST /containers/{id}/resize: the size of the container's terminal, in characters."""

from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.kill import not_running
from sampan.engine.containers.notify import notify


async def resize(deps: Containers, ref: str, *, height: int, width: int) -> None:
    """Set the terminal's size; without effect on a container that has none."""
    container = deps.registry.get(ref)
    if container.shim is None or not container.is_running:
        raise not_running(container)
    if container.record.config.tty:
        await container.shim.resize(height, width)
    notify(deps, container, "resize", height=str(height), width=str(width))
