"""`--mount`, `--volume` and `--tmpfs` into the create body.

Spec        docker's --mount: comma-separated key=value fields (CSV), keys in any order and any case.
Errors      InvalidArgument, in docker's words.
"""

from __future__ import annotations

import os

from sampan.cli.create.values import csv_fields
from sampan.cli.kinds import parse_bool, parse_bytes
from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FLAGS_WITHOUT_VALUE = {"readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src"}
_PROPAGATIONS = {"", "private", "rprivate", "rshared", "shared", "rslave", "slave"}


def parse_mount(text: str) -> dict[str, Any]:
    """One `--mount` as an entry of HostConfig.Mounts."""
    mount: dict[str, Any] = {"Type": "volume"}
    for field in csv_fields(text.strip()):
        name, equals, value = field.partition("=")
        key = name.strip().lower()
        if not equals:
            if key not in _FLAGS_WITHOUT_VALUE:
                raise InvalidArgument(f"invalid field '{field}' must be a key=value pair")
            value = "true"
        _set(mount, key, value, name)
    _check(mount)
    return mount


def _set(mount: dict[str, Any], key: str, value: str, shown: str) -> None:
    if key == "type":
        mount["Type"] = value.lower()
    elif key in ("source", "src"):
        mount["Source"] = os.path.abspath(value) if value.startswith(".") else value
    elif key in ("target", "dst", "destination"):
        mount["Target"] = value
    elif key in ("readonly", "ro"):
        mount["ReadOnly"] = _boolean(key, value)
    elif key == "consistency":
        mount["Consistency"] = value.lower()
    elif key.startswith("bind-"):
        _set_bind(mount, key, value, shown)
    elif key.startswith("volume-"):
        _set_volume(mount, key, value, shown)
    elif key == "image-subpath":
        mount.setdefault("ImageOptions", {})["Subpath"] = value
    elif key == "tmpfs-size":
        try:
            mount.setdefault("TmpfsOptions", {})["SizeBytes"] = parse_bytes(value)
        except InvalidArgument as cause:
            raise InvalidArgument(f"invalid value for {shown}: {value}") from cause
    elif key == "tmpfs-mode":
        try:
            mount.setdefault("TmpfsOptions", {})["Mode"] = int(value, 8)
        except ValueError as cause:
            raise InvalidArgument(f"invalid value for {shown}: {value}") from cause
    else:
        raise InvalidArgument(f"unexpected key '{shown}' in '{shown}={value}'")


def _set_bind(mount: dict[str, Any], key: str, value: str, shown: str) -> None:
    options = mount.setdefault("BindOptions", {})
    if key == "bind-propagation":
        options["Propagation"] = value.lower()
    elif key == "bind-nonrecursive":
        options["NonRecursive"] = _boolean(key, value)
    elif key == "bind-create-src":
        options["CreateMountpoint"] = _boolean(key, value)
    elif key != "bind-recursive":
        raise InvalidArgument(f"unexpected key '{shown}' in '{shown}={value}'")
    elif value == "disabled":
        options["NonRecursive"] = True
    elif value == "writable":
        options["ReadOnlyNonRecursive"] = True
    elif value == "readonly":
        options["ReadOnlyForceRecursive"] = True
    elif value != "enabled":
        raise InvalidArgument(
            f'invalid value for {key}: {value} (must be "enabled", "disabled", "writable", or "readonly")'
        )


def _set_volume(mount: dict[str, Any], key: str, value: str, shown: str) -> None:
    options = mount.setdefault("VolumeOptions", {})
    if key == "volume-subpath":
        options["Subpath"] = value
    elif key == "volume-nocopy":
        options["NoCopy"] = _boolean(key, value)
    elif key == "volume-label":
        name, _, text = value.partition("=")
        options.setdefault("Labels", {})[name] = text
    elif key == "volume-driver":
        options.setdefault("DriverConfig", {})["Name"] = value
    elif key == "volume-opt":
        name, _, text = value.partition("=")
        options.setdefault("DriverConfig", {}).setdefault("Options", {})[name] = text
    else:
        raise InvalidArgument(f"unexpected key '{shown}' in '{shown}={value}'")


def _boolean(key: str, value: str) -> bool:
    try:
        return parse_bool(value)
    except InvalidArgument as cause:
        raise InvalidArgument(f"invalid value for {key}: {value}") from cause


def _check(mount: dict[str, Any]) -> None:
    kind = mount["Type"]
    if not kind:
        raise InvalidArgument("type is required")
    if not mount.get("Target"):
        raise InvalidArgument("target is required")
    for wanted, options in (
        ("volume", "VolumeOptions"),
        ("bind", "BindOptions"),
        ("image", "ImageOptions"),
        ("tmpfs", "TmpfsOptions"),
    ):
        if options in mount and kind != wanted:
            raise InvalidArgument(f"cannot mix '{wanted}-*' options with mount type '{kind}'")
    bind = mount.get("BindOptions", {})
    if bind.get("ReadOnlyNonRecursive") and not mount.get("ReadOnly"):
        raise InvalidArgument("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction")
    if bind.get("ReadOnlyForceRecursive"):
        if not mount.get("ReadOnly"):
            raise InvalidArgument("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction")
        if bind.get("Propagation") != "rprivate":
            raise InvalidArgument(
                "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction"
            )


def split_volumes(texts: list[str]) -> tuple[list[str], dict[str, dict[str, str]]]:
    """`-v` values as (binds, anonymous volumes). A relative host path becomes absolute here, where we are."""
    binds: list[str] = []
    anonymous: dict[str, dict[str, str]] = {}
    for text in dict.fromkeys(texts):
        source, separator, rest = text.partition(":")
        if not separator:
            anonymous[text] = {}
        elif source.startswith("."):
            binds.append(f"{os.path.abspath(source)}:{rest}")
        else:
            binds.append(text)
    return binds, anonymous


def tmpfs(texts: list[str]) -> dict[str, str]:
    return {path: options for path, _, options in (text.partition(":") for text in texts)}
