"""Image configurations, as OCI and Docker write them.

Invariants  A received configuration is kept as bytes (its digest is the image's id) and parsed beside them.
            Members this program does not know are ignored when parsing; `null` means the default.
Errors      InvalidArgument.
Spec        image-spec v1.1, config.md; Docker's additions: Healthcheck, OnBuild, Shell, comment, docker_version.
"""

from typing import Any

import msgspec

from sampan import errors
from sampan.oci.digest import check_digest


class Healthcheck(msgspec.Struct, omit_defaults=True, rename="pascal"):
    """Durations in nanoseconds; zero means inherit."""

    test: list[str] | None = None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class RunConfig(msgspec.Struct, omit_defaults=True, rename="pascal"):
    """The member `config`: what a container made from the image does unless told otherwise."""

    user: str = ""
    exposed_ports: dict[str, dict[str, Any]] | None = None
    env: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    healthcheck: Healthcheck | None = None
    args_escaped: bool = False
    volumes: dict[str, dict[str, Any] | None] | None = None
    working_dir: str = ""
    on_build: list[str] | None = None
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    stop_timeout: int | None = None
    shell: list[str] | None = None


class RootFS(msgspec.Struct, frozen=True):
    type: str = "layers"
    diff_ids: list[str] | None = None


class History(msgspec.Struct, frozen=True, omit_defaults=True):
    created: str | None = None
    author: str = ""
    created_by: str = ""
    comment: str = ""
    empty_layer: bool = False


class ImageConfig(
    msgspec.Struct, omit_defaults=True, rename={"os_version": "os.version", "os_features": "os.features"}
):
    """Member order is Docker's: alphabetical, as its own encoder writes them."""

    architecture: str = ""
    author: str = ""
    comment: str = ""
    config: RunConfig | None = None
    container: str = ""
    created: str | None = None
    docker_version: str = ""
    history: list[History] | None = None
    os: str = ""
    os_features: list[str] | None = None
    os_version: str = ""
    rootfs: RootFS | None = None
    variant: str = ""

    @property
    def diff_ids(self) -> list[str]:
        return (self.rootfs.diff_ids if self.rootfs else None) or []

    @property
    def labels(self) -> dict[str, str]:
        return (self.config.labels if self.config else None) or {}


def parse_config(content: bytes) -> ImageConfig:
    """The configuration in `content`, whose layers are checked to be digests."""
    try:
        members = msgspec.json.decode(content, type=dict[str, Any])
        members = _without_nulls(members)
        parsed = msgspec.convert(members, ImageConfig)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise errors.InvalidArgument(f"invalid image JSON: {error}") from error
    if parsed.rootfs is None:
        raise errors.InvalidArgument("invalid image JSON, no RootFS key")
    for diff_id in parsed.diff_ids:
        check_digest(diff_id)
    return parsed


def encode_config(config: ImageConfig) -> bytes:
    """The bytes of a new configuration."""
    return msgspec.json.encode(config)


def layer_history(config: ImageConfig) -> list[tuple[History, int | None]]:
    """Each step of the image's history with the number of the layer it made, None when it made none."""
    steps: list[tuple[History, int | None]] = []
    layer = 0
    for step in config.history or []:
        if step.empty_layer or layer >= len(config.diff_ids):
            steps.append((step, None))
        else:
            steps.append((step, layer))
            layer += 1
    return steps


def _without_nulls(members: dict[str, Any]) -> dict[str, Any]:
    """Go encodes absent values as null and reads null as absent; the top level and `config` have such members."""
    kept = {name: value for name, value in members.items() if value is not None}
    if isinstance(kept.get("config"), dict):
        kept["config"] = {name: value for name, value in kept["config"].items() if value is not None}
    return kept
