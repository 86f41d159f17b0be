"""`--network` and its companions into HostConfig.NetworkMode and NetworkingConfig.

Spec        docker 28: `--network name` or `--network name=n,alias=a,ip=...`; the flag repeats. Flags without a network
            of their own (--ip, --network-alias, ...) belong to the first one.
Errors      InvalidArgument, in docker's words.
"""

from __future__ import annotations

from sampan.cli.create.values import csv_fields
from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.cli.flags import Parsed


def parse_network(text: str) -> dict[str, Any]:
    """One `--network` as {"Target": name, field of EndpointSettings: value...}."""
    name, equals, _ = text.partition("=")
    if not equals or not name.replace("-", "").isalnum():
        return {"Target": text}
    found: dict[str, Any] = {"Target": ""}
    for field in csv_fields(text):
        key, equals, value = field.partition("=")
        if not equals:
            raise InvalidArgument(f"invalid field {key.strip()}")
        _set(found, key.strip().lower(), value.strip())
    if not found["Target"]:
        raise InvalidArgument("network name/id is not specified")
    return found


def _set(found: dict[str, Any], key: str, value: str) -> None:
    if key == "name":
        found["Target"] = value
    elif key == "alias":
        found.setdefault("Aliases", []).append(value)
    elif key == "ip":
        found.setdefault("IPAMConfig", {})["IPv4Address"] = value
    elif key == "ip6":
        found.setdefault("IPAMConfig", {})["IPv6Address"] = value
    elif key == "link-local-ip":
        found.setdefault("IPAMConfig", {}).setdefault("LinkLocalIPs", []).append(value)
    elif key == "mac-address":
        found["MacAddress"] = value
    elif key == "driver-opt":
        name, equals, option = value.partition("=")
        if not equals:
            raise InvalidArgument("invalid key value pair format in driver options")
        found.setdefault("DriverOpts", {})[name.strip().lower()] = option.strip()
    elif key == "gw-priority":
        try:
            found["GwPriority"] = int(value)
        except ValueError as cause:
            raise InvalidArgument(f"invalid gw-priority ({value}): invalid syntax") from cause
    else:
        raise InvalidArgument(f"invalid field key {key}")


def networking(parsed: Parsed) -> tuple[str, dict[str, Any]]:
    """(NetworkMode, EndpointsConfig)."""
    networks = [dict(one) for one in parsed["network"]] or [{"Target": "default"}]
    first = networks[0]
    _add_container_options(first, parsed)
    endpoints: dict[str, Any] = {}
    for network in networks:
        target = network.pop("Target")
        if target in endpoints:
            raise InvalidArgument(f'network "{target}" is specified multiple times')
        if (target == "host" and len(networks) > 1) or (target == "none" and len(networks) > 1):
            raise InvalidArgument(
                "conflicting options: cannot attach both user-defined and non-user-defined network-modes"
            )
        endpoints[target] = network
    mode = next(iter(endpoints))
    return mode, {target: settings for target, settings in endpoints.items() if settings or _is_user_defined(target)}


def _add_container_options(first: dict[str, Any], parsed: Parsed) -> None:
    for flag, field in (("network-alias", "Aliases"), ("link", "Links"), ("mac-address", "MacAddress")):
        if not parsed[flag] or (flag == "link" and not _is_user_defined(first["Target"])):
            continue
        if first.get(field) and flag != "link":
            shown = "alias" if flag == "network-alias" else flag
            raise InvalidArgument(f"conflicting options: cannot specify both --{flag} and per-network {shown}")
        first[field] = parsed[flag]
    for flag, field in (("ip", "IPv4Address"), ("ip6", "IPv6Address"), ("link-local-ip", "LinkLocalIPs")):
        if not parsed[flag]:
            continue
        if first.get("IPAMConfig", {}).get(field):
            shown = {"ip": "IPv4 address", "ip6": "IPv6 address"}.get(flag, "link-local IP addresses")
            raise InvalidArgument(f"conflicting options: cannot specify both --{flag} and per-network {shown}")
        first.setdefault("IPAMConfig", {})[field] = parsed[flag]


def _is_user_defined(target: str) -> bool:
    return target not in ("default", "bridge", "host", "none") and not target.startswith("container:")
