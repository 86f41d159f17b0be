"""Images on the wire: inspect, list, history, remove.

`ImageConfig` is what an inspect shows; the config as stored is `sampan.oci`'s. Sizes in bytes.
"""

from typing import Any

import msgspec

from sampan.api.wire.gojson import EMPTY_LIST, LIST, NULL, NUMBER, TEXT, Shape, pascal


def _lower_camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class Platform(Shape, rename=lambda name: name.replace("os_", "os.")):
    architecture: str = TEXT
    os: str = TEXT
    os_version: str = ""
    os_features: list[str] = LIST
    variant: str = ""


class Descriptor(Shape, rename=_lower_camel):
    """An OCI descriptor as Docker repeats it in inspects."""

    media_type: str = TEXT
    digest: str = TEXT
    size: int = NUMBER
    urls: list[str] = LIST
    annotations: dict[str, str] | None = None
    data: str = ""
    platform: Platform | None = None
    artifact_type: str = ""


class DriverData(Shape):
    data: dict[str, str] | None = NULL
    name: str = TEXT


class RootFS(Shape):
    type: str = ""
    layers: list[str] = LIST


class Metadata(Shape):
    last_tag_time: str = TEXT


class ImageHealthcheck(Shape):
    test: list[str] = LIST
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class ImageConfig(Shape):
    """The `Config` of an image inspect at API 1.50 and later; older clients get more (see `api.server.images`)."""

    args_escaped: bool = False
    cmd: list[str] | None = NULL
    entrypoint: list[str] | None = NULL
    env: list[str] | None = NULL
    exposed_ports: dict[str, dict[str, Any]] | None = None
    healthcheck: ImageHealthcheck | None = None
    labels: dict[str, str] | None = NULL
    on_build: list[str] | None = NULL
    shell: list[str] | None = None
    stop_signal: str = ""
    user: str = TEXT
    volumes: dict[str, dict[str, Any]] | None = NULL
    working_dir: str = TEXT


class ImageInspect(Shape, rename=pascal(id="Id", root_fs="RootFS")):
    id: str = TEXT
    repo_tags: list[str] = EMPTY_LIST
    repo_digests: list[str] = EMPTY_LIST
    parent: str = TEXT
    comment: str = TEXT
    created: str = ""
    docker_version: str = TEXT
    author: str = TEXT
    architecture: str = TEXT
    variant: str = ""
    os: str = TEXT
    os_version: str = ""
    size: int = NUMBER
    virtual_size: int = 0
    graph_driver: DriverData = msgspec.field(default_factory=DriverData)
    root_fs: RootFS = msgspec.field(default_factory=RootFS)
    metadata: Metadata = msgspec.field(default_factory=Metadata)
    descriptor: Descriptor | None = None
    config: ImageConfig = msgspec.field(default_factory=ImageConfig)


UNKNOWN_SIZE: Any = msgspec.field(default_factory=lambda: -1)


class ImageSummary(Shape):
    containers: int = UNKNOWN_SIZE
    created: int = NUMBER
    id: str = TEXT
    labels: dict[str, str] | None = NULL
    parent_id: str = TEXT
    descriptor: Descriptor | None = None
    repo_digests: list[str] = EMPTY_LIST
    repo_tags: list[str] = EMPTY_LIST
    shared_size: int = UNKNOWN_SIZE
    size: int = NUMBER
    virtual_size: int = 0


class HistoryItem(Shape):
    comment: str = TEXT
    created: int = NUMBER
    created_by: str = TEXT
    id: str = TEXT
    size: int = NUMBER
    tags: list[str] | None = NULL


class DeletedImage(Shape):
    deleted: str = ""
    untagged: str = ""
