"""Images as the API shows them, and what connects them with containers and events.

Spec        Engine API 1.51, the image endpoints; shapes compared with Docker 28.5.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass

from sampan.api.wire.image import (
    DeletedImage,
    DriverData,
    HistoryItem,
    ImageConfig,
    ImageHealthcheck,
    ImageInspect,
    ImageSummary,
    Metadata,
    RootFS,
)
from sampan.base.clock import NS_PER_S, rfc3339nano
from sampan.engine.containers.registry import Registry
from sampan.engine.eventlog import EventLog
from sampan.image.naming import parse_target
from sampan.image.record import Image, ImageEvent
from sampan.image.remove import ImageUse
from sampan.image.store import ImageStore, ListFilters
from sampan.oci.descriptor import Platform
from sampan.oci.image import Healthcheck, RunConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The collaborators of the verbs below."""

    store: ImageStore
    registry: Registry


def publisher(events: EventLog) -> "_Publisher":
    """The event sink that an image store is given."""
    return _Publisher(events)


@dataclass(frozen=True, slots=True)
class _Publisher:
    events: EventLog

    def __call__(self, event: ImageEvent, /) -> None:
        self.events.publish("image", event.action, event.id, {**event.labels, "name": event.name})


async def list_images(
    deps: Images, *, all: bool = False, filters: Mapping[str, Collection[str]] | None = None
) -> list[ImageSummary]:
    """GET /images/json."""
    asked = {name: list(values) for name, values in (filters or {}).items()}
    barred = asked.pop("label!", [])
    found = deps.store.list(all=all, filters=ListFilters(**asked))
    users = [container.record.image_id for container in deps.registry]
    return [_summary(image, users.count(image.id)) for image in found if not _has_any_label(image, barred)]


def _has_any_label(image: Image, texts: Collection[str]) -> bool:
    for text in texts:
        key, separator, wanted = text.partition("=")
        if key in image.config.labels and (not separator or image.config.labels[key] == wanted):
            return True
    return False


def _summary(image: Image, containers: int) -> ImageSummary:
    return ImageSummary(
        containers=containers,
        created=image.created_ns // NS_PER_S,
        id=image.id,
        labels=image.config.labels or None,
        parent_id=image.parent or "",
        repo_digests=list(image.repo_digests),
        repo_tags=list(image.repo_tags),
        size=image.size_bytes,
    )


async def inspect_image(deps: Images, ref: str) -> ImageInspect:
    """GET /images/{ref}/json."""
    image = deps.store.resolve(ref)
    config = image.config
    return ImageInspect(
        id=image.id,
        repo_tags=list(image.repo_tags),
        repo_digests=list(image.repo_digests),
        parent=image.parent or "",
        comment=config.comment,
        created=config.created or "",
        docker_version=config.docker_version,
        author=config.author,
        architecture=config.architecture,
        variant=config.variant,
        os=config.os,
        os_version=config.os_version,
        size=image.size_bytes,
        graph_driver=DriverData(name="overlay2", data={}),
        root_fs=RootFS(type="layers", layers=image.diff_ids),
        metadata=Metadata(last_tag_time=rfc3339nano(image.tagged_ns)),
        config=_config(config.config or RunConfig()),
    )


def _config(config: RunConfig) -> ImageConfig:
    return ImageConfig(
        args_escaped=config.args_escaped,
        cmd=config.cmd,
        entrypoint=config.entrypoint,
        env=config.env,
        exposed_ports=config.exposed_ports,
        healthcheck=_healthcheck(config.healthcheck),
        labels=config.labels,
        on_build=config.on_build,
        shell=config.shell,
        stop_signal=config.stop_signal,
        user=config.user,
        volumes={path: value or {} for path, value in config.volumes.items()} if config.volumes else None,
        working_dir=config.working_dir,
    )


def _healthcheck(found: Healthcheck | None) -> ImageHealthcheck | None:
    if found is None:
        return None
    return ImageHealthcheck(
        test=found.test or [],
        interval=found.interval,
        timeout=found.timeout,
        start_period=found.start_period,
        start_interval=found.start_interval,
        retries=found.retries,
    )


async def history(deps: Images, ref: str) -> list[HistoryItem]:
    """GET /images/{ref}/history."""
    return [
        HistoryItem(
            comment=line.comment,
            created=line.created_ns // NS_PER_S,
            created_by=line.created_by,
            id=line.id,
            size=line.size_bytes,
            tags=list(line.tags) or None,
        )
        for line in deps.store.history(ref)
    ]


async def tag(deps: Images, ref: str, *, repository: str, tag: str) -> None:
    """POST /images/{ref}/tag."""
    await deps.store.tag(ref, parse_target(repository, tag))


async def remove(deps: Images, ref: str, *, force: bool = False, prune: bool = True) -> list[DeletedImage]:
    """DELETE /images/{ref}; containers keep their images from going."""
    uses = [ImageUse(found.id, found.record.image_id, found.is_running) for found in deps.registry]
    removed = await deps.store.remove(ref, force=force, prune=prune, uses=uses)
    return [DeletedImage(deleted=line.get("Deleted", ""), untagged=line.get("Untagged", "")) for line in removed]


async def import_image(
    deps: Images,
    archive: AsyncIterator[bytes],
    *,
    repository: str,
    tag: str,
    message: str,
    changes: Sequence[str],
    platform: str,
) -> str:
    """POST /images/create with fromSrc; the new image's id."""
    image = await deps.store.import_(
        archive,
        reference=parse_target(repository, tag) if repository else None,
        changes=changes,
        message=message,
        platform=_platform(platform) if platform else None,
    )
    return image.id


def _platform(text: str) -> Platform:
    """os[/architecture[/variant]]."""
    system, _, rest = text.partition("/")
    architecture, _, variant = rest.partition("/")
    return Platform(os=system, architecture=architecture, variant=variant)


def load(deps: Images, archive: AsyncIterator[bytes], *, quiet: bool) -> AsyncIterator[dict[str, object]]:
    """POST /images/load: progress messages."""
    return deps.store.load(archive, quiet=quiet)


async def save(deps: Images, refs: Sequence[str]) -> AsyncIterator[bytes]:
    """GET /images/get: the archive; NotFound before its first byte."""
    return deps.store.save(refs)
