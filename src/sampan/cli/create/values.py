"""Values of `run` and `create` flags that have an inner form: devices, limits, hosts, rates.

Layout      Each parse function takes the flag's text and gives a list (or dict) that adds to the flag's value, in the
            shape of the create body. KINDS extends the kinds of `sampan.cli.kinds`.
Errors      InvalidArgument, in docker's words.
"""

from __future__ import annotations

import _socket

from sampan.cli.kinds import KINDS, Kind, parse_bytes
from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ULIMITS = frozenset(
    "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split()
)
_SYSCTLS = frozenset(
    "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni "
    "kernel.shm_rmid_forced".split()
)


def is_ip(text: str) -> bool:
    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            _socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def parse_ip(text: str) -> list[str]:
    if not is_ip(text.strip()):
        raise InvalidArgument(f"IP address is not correctly formatted: {text.strip()}")
    return [text.strip()]


def parse_dns_search(text: str) -> list[str]:
    trimmed = text.strip()
    if trimmed == ".":
        return ["."]
    labels = trimmed.removesuffix(".").split(".")
    for label in labels:
        if not label or not all(char.isalnum() or char in "-_" for char in label) or not label[0].isalnum():
            raise InvalidArgument(f"{text} is not a valid domain")
    return [trimmed]


def parse_add_host(text: str) -> list[str]:
    """`name:address` or `name=address`; the address may be "host-gateway" and an IPv6 one in brackets."""
    name, separator, address = text.partition("=")
    if not separator or ":" in name:
        name, separator, address = text.partition(":")
    if not separator or not name:
        raise InvalidArgument(f'bad format for add-host: "{text}"')
    if address != "host-gateway":
        if address.startswith("[") and address.endswith("]"):
            address = address[1:-1]
        if not is_ip(address):
            raise InvalidArgument(f'invalid IP address in add-host: "{address}"')
    return [f"{name}:{address}"]


def parse_link(text: str) -> list[str]:
    if not text:
        raise InvalidArgument("empty string specified for links")
    if text.count(":") > 1:
        raise InvalidArgument(f"bad format for links: {text}")
    return [text]


def parse_ulimit(text: str) -> list[dict[str, Any]]:
    name, separator, limits = text.partition("=")
    if not separator:
        raise InvalidArgument(f"invalid ulimit argument: {text}")
    if name not in _ULIMITS:
        raise InvalidArgument(f"invalid ulimit type: {name}")
    if limits.count(":") > 1:
        raise InvalidArgument(f"too many limit value arguments - {limits}, can only have up to two, `soft[:hard]`")
    numbers = []
    for part in limits.split(":"):
        try:
            numbers.append(int(part))
        except ValueError as cause:
            raise InvalidArgument(f'strconv.ParseInt: parsing "{part}": invalid syntax') from cause
    soft, hard = numbers[0], numbers[-1]
    if hard != -1 and (soft == -1 or soft > hard):
        raise InvalidArgument(f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")
    return [{"Name": name, "Hard": hard, "Soft": soft}]


def parse_sysctl(text: str) -> dict[str, str]:
    name, separator, value = text.partition("=")
    allowed = name in _SYSCTLS or name.startswith(("net.", "fs.mqueue."))
    if not separator or not allowed:
        raise InvalidArgument(f"sysctl '{text}' is not allowed")
    return {name: value}


def parse_device(text: str) -> dict[str, str]:
    """`host[:container[:permissions]]`."""
    parts = text.split(":")
    if len(parts) > 3:
        raise InvalidArgument(f"bad format for path: {text}")
    host = parts[0]
    inside, permissions = host, "rwm"
    if len(parts) == 2:
        if _is_device_mode(parts[1]):
            permissions = parts[1]
        else:
            inside = parts[1]
    elif len(parts) == 3:
        inside, permissions = parts[1], parts[2]
        if not _is_device_mode(permissions):
            raise InvalidArgument(f"bad mode specified: {permissions}")
    if not inside.startswith("/"):
        raise InvalidArgument(f"{inside} is not an absolute path")
    return {"PathOnHost": host, "PathInContainer": inside, "CgroupPermissions": permissions}


def is_cdi(text: str) -> bool:
    """A CDI name: vendor/class=name."""
    vendor, slash, rest = text.partition("/")
    kind, equals, name = rest.partition("=")
    return bool(vendor and slash and kind and equals and name) and ":" not in kind


def _is_device_mode(text: str) -> bool:
    return bool(text) and len(set(text)) == len(text) and set(text) <= set("rwm")


def parse_device_rule(text: str) -> list[str]:
    fields = text.split(" ")
    numbers = fields[1].split(":") if len(fields) == 3 else []
    if (
        len(fields) != 3
        or fields[0] not in ("a", "b", "c")
        or len(numbers) != 2
        or not all(number == "*" or number.isdigit() for number in numbers)
        or not _is_device_mode(fields[2])
    ):
        raise InvalidArgument(f"invalid device cgroup format '{text}'")
    return [text]


def parse_weight_device(text: str) -> list[dict[str, Any]]:
    path, weight = _split_device(text)
    if not weight.isdigit() or (int(weight) > 0 and not 10 <= int(weight) <= 1000):
        raise InvalidArgument(f"invalid weight for device: {text}")
    return [{"Path": path, "Weight": int(weight)}]


def parse_bytes_rate(text: str) -> list[dict[str, Any]]:
    path, rate = _split_device(text)
    try:
        value = parse_bytes(rate)
    except InvalidArgument as cause:
        raise InvalidArgument(
            f"invalid rate for device: {text}. The correct format is <device-path>:<number>[<unit>]. "
            "Number must be a positive integer. Unit is optional and can be kb, mb, or gb"
        ) from cause
    return [{"Path": path, "Rate": value}]


def parse_operations_rate(text: str) -> list[dict[str, Any]]:
    path, rate = _split_device(text)
    if not rate.isdigit():
        raise InvalidArgument(
            f"invalid rate for device: {text}. The correct format is <device-path>:<number>. "
            "Number must be a positive integer"
        )
    return [{"Path": path, "Rate": int(rate)}]


def _split_device(text: str) -> tuple[str, str]:
    path, separator, value = text.partition(":")
    if not separator or not value or ":" in value:
        raise InvalidArgument(f"bad format: {text}")
    if not path.startswith("/dev/"):
        raise InvalidArgument(f"bad format for device path: {text}")
    return path, value


def parse_gpus(text: str) -> list[dict[str, Any]]:
    request: dict[str, Any] = {"Driver": "", "Count": 0, "DeviceIDs": None, "Capabilities": [["gpu"]], "Options": {}}
    for field in csv_fields(text):
        key, equals, value = field.partition("=")
        if not equals:
            key, value = "count", field
        if key == "count":
            if value != "all" and not value.lstrip("-").isdigit():
                raise InvalidArgument(
                    f'invalid count ({value}): value must be either "all" or an integer: invalid syntax'
                )
            request["Count"] = -1 if value == "all" else int(value)
        elif key == "driver":
            request["Driver"] = value
        elif key == "device":
            request["DeviceIDs"] = value.split(",")
        elif key == "capabilities":
            request["Capabilities"] = [[*value.split(","), "gpu"]]
        elif key == "options":
            request["Options"] = dict(part.partition("=")[::2] for part in value.split(","))
        else:
            raise InvalidArgument(f"unexpected key '{key}' in '{field}'")
    if not request["Count"] and request["DeviceIDs"] is None:
        request["Count"] = 1
    return [request]


def csv_fields(text: str) -> list[str]:
    """The fields of one CSV line (RFC 4180): a quoted field may hold commas, and quotes doubled."""
    fields, field, is_quoted, at = [], "", False, 0
    while at < len(text):
        char = text[at]
        if is_quoted:
            if char != '"':
                field += char
            elif text[at + 1 : at + 2] == '"':
                field += '"'
                at += 1
            else:
                is_quoted = False
        elif char == '"':
            if field:
                raise InvalidArgument(f'parse error on line 1, column {at + 1}: bare " in non-quoted-field')
            is_quoted = True
        elif char == ",":
            fields.append(field)
            field = ""
        else:
            field += char
        at += 1
    if is_quoted:
        raise InvalidArgument(f'parse error on line 1, column {at + 1}: extraneous or missing " in quoted-field')
    return [*fields, field]


def parse_networks(text: str) -> list[dict[str, Any]]:
    from sampan.cli.create.networks import parse_network

    return [parse_network(text)]


def parse_mounts(text: str) -> list[dict[str, Any]]:
    from sampan.cli.create.mounts import parse_mount

    return [parse_mount(text)]


def register() -> None:
    """Make the kinds above known to the flag parser."""
    many = {
        "ip-list": ("list", parse_ip),
        "dns-search": ("list", parse_dns_search),
        "add-host": ("list", parse_add_host),
        "link": ("list", parse_link),
        "ulimit": ("ulimit", parse_ulimit),
        "device-rule": ("list", parse_device_rule),
        "weight-device": ("list", parse_weight_device),
        "rate-bps": ("list", parse_bytes_rate),
        "rate-iops": ("list", parse_operations_rate),
        "gpu-request": ("gpu-request", parse_gpus),
        "network": ("network", parse_networks),
        "mount": ("mount", parse_mounts),
    }
    for name, (label, parse) in many.items():
        KINDS[name] = Kind(label, parse, list, is_many=True)
    KINDS["sysctl"] = Kind("map", parse_sysctl, dict, is_many=True)
