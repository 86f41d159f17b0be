"""The mounts that a create request asks for: parsed, checked and sorted out into `Wish` values.

Sources in Docker's order: --volumes-from, -v (Binds), --mount (Mounts), then the volumes of the image; a destination
taken by an earlier source is an error for Binds and Mounts and ends the matter for the image's. HostConfig.Tmpfs only
takes destinations here.
Errors      InvalidArgument in the words of moby volume/mounts (linux_parser.go, validate.go).
Spec        -v [SOURCE:]DESTINATION[:MODE]; mode words: ro rw; z Z; [r]shared [r]slave [r]private; nocopy; cached...
"""

import os
import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sampan.api.wire.host import HostConfig
from sampan.api.wire.mount import Mount
from sampan.errors import InvalidArgument

PROPAGATIONS = frozenset({"private", "rprivate", "slave", "rslave", "shared", "rshared"})
_CATEGORIES = {
    **dict.fromkeys(("ro", "rw"), "access"),
    **dict.fromkeys(("z", "Z"), "label"),
    **dict.fromkeys(PROPAGATIONS, "propagation"),
    **dict.fromkeys(("nocopy",), "copy"),
    **dict.fromkeys(("consistent", "cached", "delegated", "default"), "consistency"),
}
_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One mount as asked for. A volume without a name is anonymous and gets one later."""

    type: str
    destination: str
    source: str = ""
    name: str = ""
    driver: str = ""
    driver_options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    mode: str = ""
    read_write: bool = True
    propagation: str = ""
    recursive: bool = True
    read_only_recursive: bool = False
    options: list[str] = field(default_factory=list)
    copy_up: bool = False
    create_source: bool = False
    subpath: str = ""


def wishes(host: HostConfig, image_volumes: Iterable[str], inherited: Iterable[Wish]) -> list[Wish]:
    """All mounts of a container; `inherited` are those of --volumes-from."""
    found = {wish.destination: wish for wish in inherited}
    explicit: set[str] = set()
    asked = [_bind(text, host.volume_driver) for text in host.binds or ()]
    asked += [_mount(mount, host.volume_driver) for mount in host.mounts]
    for wish in asked:
        if wish.destination in explicit:
            raise InvalidArgument(f"Duplicate mount point: {wish.destination}")
        explicit.add(wish.destination)
        found[wish.destination] = wish
    for destination in host.tmpfs:
        _check_absolute(destination)
        if _clean(destination) in explicit:
            raise InvalidArgument(f"Duplicate mount point: {_clean(destination)}")
        found.pop(_clean(destination), None)
        explicit.add(_clean(destination))
    for destination in map(_clean, image_volumes):
        if destination not in found and destination not in explicit:
            found[destination] = Wish(type="volume", destination=destination, driver=host.volume_driver, copy_up=True)
    return list(found.values())


def _clean(path: str) -> str:
    return posixpath.normpath("/" + path.lstrip("/"))


def _check_absolute(path: str) -> None:
    if not path.startswith("/"):
        raise InvalidArgument(f"invalid mount path: '{path}' mount path must be absolute")


def _check_destination(destination: str) -> None:
    if not destination:
        raise InvalidArgument("field Target must not be empty")
    if _clean(destination) == "/" and destination.startswith("/"):
        raise InvalidArgument("invalid specification: destination can't be '/'")
    _check_absolute(destination)


def check_volume_name(name: str) -> None:
    """A named volume's name, as -v and --mount give it."""
    if not _VOLUME_NAME.fullmatch(name):
        raise InvalidArgument(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )


def _mode_words(mode: str, *, is_bind: bool) -> list[str] | None:
    """The words of a mode; None when they are not one."""
    words = mode.split(",") if mode else []
    categories = [_CATEGORIES.get(word) for word in words]
    barred = "copy" if is_bind else "propagation"
    if None in categories or barred in categories or len(set(categories)) != len(categories):
        return None
    return words


def _bind(text: str, driver: str) -> Wish:
    """One -v."""
    parts = text.split(":")
    if len(parts) > 3 or not parts[0]:
        raise InvalidArgument(f"invalid volume specification: '{text}'")
    source, destination, mode = "", parts[0], ""
    if len(parts) == 2 and _mode_words(parts[1], is_bind=False) is not None:
        mode = parts[1]
    elif len(parts) > 1:
        source, destination, mode = parts[0], parts[1], parts[2] if len(parts) > 2 else ""
    is_bind = source.startswith("/")
    words = _mode_words(mode, is_bind=is_bind)
    if words is None or (len(parts) == 3 and not mode):
        raise InvalidArgument(f"invalid mode: {mode}")
    kind = "bind" if is_bind else "volume"
    try:
        _check_destination(destination)
    except InvalidArgument as error:
        raise InvalidArgument(
            f"invalid volume specification: '{text}': invalid mount config for type \"{kind}\": {error}"
        ) from error
    wish = Wish(type=kind, destination=_clean(destination), mode=mode, read_write="ro" not in words)
    if is_bind:
        propagation = next((word for word in words if word in PROPAGATIONS), "rprivate")
        return replace(
            wish,
            source=posixpath.normpath(source),
            propagation=propagation,
            create_source=True,
            read_only_recursive="ro" in words,
        )
    if source:
        check_volume_name(source)
        wish = replace(wish, mode=mode or "z")
    return replace(wish, name=source, driver=driver, copy_up="nocopy" not in words)


def _mount(mount: Mount, driver: str) -> Wish:
    """One --mount."""
    build = {"bind": _bind_mount, "volume": _volume_mount, "tmpfs": _tmpfs_mount}.get(mount.type)
    try:
        if build is None:
            raise InvalidArgument("mount type unknown")
        _check_destination(mount.target)
        wish = build(mount)
    except InvalidArgument as error:
        raise InvalidArgument(f'invalid mount config for type "{mount.type}": {error}') from error
    if wish.name:
        check_volume_name(wish.name)
    return replace(wish, driver=wish.driver or driver) if wish.type == "volume" else wish


def _check_absent(mount: Mount, *fields: str) -> None:
    for name in fields:
        if getattr(mount, name) not in (None, ""):
            go_name = "".join(part.capitalize() for part in name.split("_"))
            raise InvalidArgument(f"field {go_name} must not be specified")


def _bind_mount(mount: Mount) -> Wish:
    options = mount.bind_options
    if not mount.source:
        raise InvalidArgument("field Source must not be empty")
    propagation = options.propagation if options else ""
    if propagation and propagation not in PROPAGATIONS:
        raise InvalidArgument(f"invalid propagation mode: {propagation}")
    _check_absent(mount, "volume_options", "image_options", "tmpfs_options")
    _check_absolute(mount.source)
    create = bool(options and options.create_mountpoint)
    if not create and not os.path.exists(mount.source):
        raise InvalidArgument(f"bind source path does not exist: {mount.source}")
    recursive = not (options and options.non_recursive)
    only_top = bool(options and options.read_only_non_recursive)
    return Wish(
        type="bind",
        destination=_clean(mount.target),
        source=posixpath.normpath(mount.source),
        read_write=not mount.read_only,
        propagation=propagation or "rprivate",
        recursive=recursive,
        read_only_recursive=mount.read_only and recursive and not only_top,
        create_source=create,
    )


def _volume_mount(mount: Mount) -> Wish:
    options = mount.volume_options
    _check_absent(mount, "bind_options", "image_options", "tmpfs_options")
    if not mount.source and mount.read_only:
        raise InvalidArgument("must not set ReadOnly mode when using anonymous volumes")
    subpath = options.subpath if options else ""
    if subpath and (subpath.startswith("/") or ".." in subpath.split("/")):
        raise InvalidArgument("subpath must be a relative path within the volume")
    config = options.driver_config if options else None
    return Wish(
        type="volume",
        destination=_clean(mount.target),
        name=mount.source,
        driver=config.name if config else "",
        driver_options=dict(config.options) if config else {},
        labels=dict(options.labels) if options else {},
        mode="z",
        read_write=not mount.read_only,
        copy_up=not (options and options.no_copy),
        subpath=subpath,
    )


def _tmpfs_mount(mount: Mount) -> Wish:
    _check_absent(mount, "source", "bind_options", "volume_options", "image_options")
    asked = mount.tmpfs_options
    options: list[str] = []
    if asked:
        if asked.size_bytes < 0:
            raise InvalidArgument("tmpfs size must not be negative")
        options += [f"size={asked.size_bytes}"] if asked.size_bytes else []
        options += [f"mode={asked.mode:o}"] if asked.mode else []
        options += ["=".join(pair[:2]) for pair in asked.options]
    return Wish(type="tmpfs", destination=_clean(mount.target), read_write=not mount.read_only, options=options)
