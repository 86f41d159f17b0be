"""GET /containers/{id}/logs: what the container has written, and writes."""

from sampan import errors
from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.wait import Waiter
from sampan.engine.logs import LogsRequest, LogStream


async def logs(deps: Containers, ref: str, request: LogsRequest) -> LogStream:
    """The log as the API sends it: frames, or raw bytes of a container with a terminal."""
    container = deps.registry.get(ref)
    if not (request.stdout or request.stderr):
        raise errors.InvalidArgument("Bad parameters: you must choose at least one stream")
    if container.record.host.log_config.type == "none":
        raise errors.Unimplemented("configured logging driver does not support reading")
    return LogStream(
        deps.paths.log_path(container.id),
        request,
        tty=container.record.config.tty,
        watcher=deps.log_watcher,
        until_stopped=lambda: Waiter(container, "not-running").outcome(),
    )
