"""POST /containers/{id}/restart: stop when running, then start."""

from sampan import errors
from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.kill import stop_signal
from sampan.engine.containers.notify import notify
from sampan.engine.containers.signals import deliverable
from sampan.engine.containers.start import start
from sampan.engine.containers.stop import stop_container


async def restart(deps: Containers, ref: str, *, signal: str = "", timeout_s: int | None = None) -> None:
    """Stop the container as `stop` does, and start it again; the container is kept even with --rm."""
    container = deps.registry.get(ref)
    number = deliverable(signal) if signal else stop_signal(container)
    if container.is_running:
        container.is_restarting = True
        try:
            await stop_container(deps, container, number, timeout_s=timeout_s)
        finally:
            container.is_restarting = False
    try:
        await start(deps, container.id)
    except errors.NotModified:
        pass  # somebody else was quicker
    notify(deps, container, "restart")
