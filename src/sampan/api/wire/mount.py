"""Mounts asked for (`HostConfig.Mounts`) and mounts found (`Mounts` of an inspect)."""

from sampan.api.wire.gojson import FLAG, LIST, MAP, TEXT, Int64, Shape, pascal


class BindOptions(Shape):
    propagation: str = ""
    non_recursive: bool = False
    create_mountpoint: bool = False
    read_only_non_recursive: bool = False
    read_only_force_recursive: bool = False


class VolumeDriver(Shape):
    name: str = ""
    options: dict[str, str] = MAP


class VolumeOptions(Shape):
    no_copy: bool = False
    labels: dict[str, str] = MAP
    subpath: str = ""
    driver_config: VolumeDriver | None = None


class ImageOptions(Shape):
    subpath: str = ""


class TmpfsOptions(Shape):
    size_bytes: Int64 = 0
    mode: int = 0
    options: list[list[str]] = LIST


class ClusterOptions(Shape):
    """Present for cluster volumes; has no fields."""


class Mount(Shape):
    type: str = ""
    source: str = ""
    target: str = ""
    read_only: bool = False
    consistency: str = ""
    bind_options: BindOptions | None = None
    volume_options: VolumeOptions | None = None
    image_options: ImageOptions | None = None
    tmpfs_options: TmpfsOptions | None = None
    cluster_options: ClusterOptions | None = None


class MountPoint(Shape, rename=pascal(rw="RW")):
    type: str = ""
    name: str = ""
    source: str = TEXT
    destination: str = TEXT
    driver: str = ""
    mode: str = TEXT
    rw: bool = FLAG
    propagation: str = TEXT
