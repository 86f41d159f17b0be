"""GET /containers/json: a line for each container, newest first."""

from collections.abc import Collection, Mapping

from sampan import errors
from sampan.api.wire.container import ContainerSummary, HostConfigSummary
from sampan.api.wire.network import NetworkSettingsSummary
from sampan.base.clock import NS_PER_S
from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.filters import plan
from sampan.engine.containers.inspect import endpoint_settings, sizes, wire_mount
from sampan.engine.containers.publish import port_summaries
from sampan.engine.containers.registry import Container
from sampan.engine.containers.status import status_text


async def list_(
    deps: Containers,
    *,
    all: bool = False,
    limit: int | None = None,
    size: bool = False,
    filters: Mapping[str, Collection[str]] | None = None,
) -> list[ContainerSummary]:
    """Running containers, or all of them; a positive `limit` means the newest so many, in any state."""
    chosen = plan(deps, filters or {})
    shows_all = all or chosen.shows_all or bool(limit and limit > 0)
    found = [c for c in deps.registry if (shows_all or c.is_running) and chosen.accepts(c)]
    found.sort(key=lambda container: container.record.created_ns, reverse=True)
    if limit and limit > 0:
        found = found[:limit]
    return [await _summary(deps, container, size=size) for container in found]


async def _summary(deps: Containers, container: Container, *, size: bool) -> ContainerSummary:
    record = container.record
    endpoint = deps.networks.endpoint(record.id)
    size_rw, size_root = await sizes(deps, record) if size else (0, 0)
    return ContainerSummary(
        id=record.id,
        names=[f"/{record.name}"],
        image=_image_name(deps, container),
        image_id=record.image_id,
        command=command_text(record.path, record.args),
        created=record.created_ns // NS_PER_S,
        ports=port_summaries(record, endpoint),
        size_rw=size_rw,
        size_root_fs=size_root,
        labels=record.config.labels or {},
        state=container.state.value,
        status=status_text(container, deps.clock.now_ns()),
        host_config=HostConfigSummary(network_mode=record.host.network_mode, annotations=record.host.annotations),
        network_settings=NetworkSettingsSummary(networks=endpoint_settings(record, endpoint)),
        mounts=[wire_mount(mount) for mount in record.mounts],
    )


def command_text(path: str, args: list[str]) -> str:
    """The command as one line; arguments with a space in them are quoted, as Docker does."""
    return " ".join([path, *(f"'{arg}'" if " " in arg else arg for arg in args)])


def _image_name(deps: Containers, container: Container) -> str:
    """The reference as the user wrote it, unless it names another image by now: then the id."""
    asked = container.record.config.image
    try:
        return asked if deps.images.resolve(asked).id == container.record.image_id else container.record.image_id
    except errors.Error:
        return container.record.image_id
