"""`--publish` and `--expose` into ExposedPorts and PortBindings.

Spec        [ip:][host port or range:]container port or range[/protocol]; a host range for one container port lets the
            engine pick. The long form is `published=..,target=..,protocol=..`.
Errors      InvalidArgument, in the words of go-connections' nat.
"""

from __future__ import annotations

from sampan.cli.create.values import is_ip
from sampan.errors import InvalidArgument

Bindings = dict[str, list[dict[str, str]]]


def publish(specs: list[str]) -> tuple[dict[str, dict[str, str]], Bindings]:
    exposed: dict[str, dict[str, str]] = {}
    bindings: Bindings = {}
    for spec in specs:
        for port, binding in _parse(_short_form(spec)):
            exposed[port] = {}
            bindings.setdefault(port, []).append(binding)
    return exposed, bindings


def expose(specs: list[str]) -> dict[str, dict[str, str]]:
    exposed: dict[str, dict[str, str]] = {}
    for spec in specs:
        if ":" in spec:
            raise InvalidArgument(f"invalid port format for --expose: {spec}")
        ports, _, protocol = spec.partition("/")
        try:
            start, end = parse_range(ports)
        except InvalidArgument as cause:
            raise InvalidArgument(f"invalid range format for --expose: {spec}, error: {cause}") from cause
        exposed |= {f"{port}/{protocol or 'tcp'}": {} for port in range(start, end + 1)}
    return exposed


def parse_range(text: str) -> tuple[int, int]:
    if not text:
        raise InvalidArgument("empty string specified for ports.")
    first, dash, last = text.partition("-")
    start = _port(first)
    end = _port(last) if dash else start
    if end < start:
        raise InvalidArgument(f"invalid range specified for port: {text}")
    return start, end


def _port(text: str) -> int:
    if not text.isdigit():
        raise InvalidArgument(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    if int(text) > 65535:
        raise InvalidArgument(f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)


def _short_form(spec: str) -> str:
    if "=" not in spec:
        return spec
    fields = {"protocol": "tcp", "published": "", "target": ""}
    for field in spec.split(","):
        key, equals, value = field.partition("=")
        if not equals or not key:
            raise InvalidArgument(f"invalid publish opts format (should be name=value but got '{field}')")
        fields[key] = value
    return f"{fields['published']}:{fields['target']}/{fields['protocol']}"


def _split(spec: str) -> tuple[str, str, str]:
    """(ip, host port, container port) of a spec; an IPv6 address stands in brackets or before the last two colons."""
    parts = spec.split(":")
    if len(parts) == 1:
        return "", "", parts[0]
    if len(parts) == 2:
        return "", parts[0], parts[1]
    return ":".join(parts[:-2]), parts[-2], parts[-1]


def _parse(spec: str) -> list[tuple[str, dict[str, str]]]:
    ip, host, inside = _split(spec)
    inside, _, protocol = inside.partition("/")
    protocol = protocol.lower() or "tcp"
    if ip.startswith("[") and ip.endswith("]"):
        ip = ip[1:-1]
    if ip and not is_ip(ip):
        raise InvalidArgument(f"invalid IP address: {ip}")
    if not inside:
        raise InvalidArgument(f"no port specified: {spec}<empty>")
    start, end = _range_or(f"invalid containerPort: {inside}", inside)
    host_start, host_end = _range_or(f"invalid hostPort: {host}", host) if host else (0, 0)
    is_pick = bool(host) and start == end and host_end > host_start
    if host and not is_pick and end - start != host_end - host_start:
        raise InvalidArgument(f"invalid ranges specified for container and host Ports: {inside} and {host}")
    if protocol not in ("tcp", "udp", "sctp"):
        raise InvalidArgument(f"invalid proto: {protocol}")
    found = []
    for offset in range(end - start + 1):
        host_port = host if is_pick else str(host_start + offset) if host else ""
        found.append((f"{start + offset}/{protocol}", {"HostIp": ip, "HostPort": host_port}))
    return found


def _range_or(message: str, text: str) -> tuple[int, int]:
    try:
        return parse_range(text)
    except InvalidArgument as cause:
        raise InvalidArgument(message) from cause
