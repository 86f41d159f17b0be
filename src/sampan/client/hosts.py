"""Where the engine listens: `unix:///path`, `tcp://host:port`, `http://host:port`.

Errors      InvalidArgument: the address has another form, in Docker's words.
"""

from __future__ import annotations

from sampan import errors

DEFAULT_SOCKET = "/var/run/sampan.sock"
DEFAULT_HOST = "unix://" + DEFAULT_SOCKET
DEFAULT_TCP_PORT = 2375


class Host:
    """An engine's address. `path` is a unix socket's, else `name` and `port` are a TCP address."""

    __slots__ = ("name", "path", "port", "text")

    def __init__(self, text: str, *, path: str = "", name: str = "", port: int = 0) -> None:
        self.text = text
        self.path = path
        self.name = name
        self.port = port

    @property
    def header(self) -> str:
        """The Host field: Go's servers refuse a unix socket's path in it."""
        if self.path:
            return "api.sampan.localhost"
        shown = f"[{self.name}]" if ":" in self.name else self.name
        return f"{shown}:{self.port}"


def parse_host(text: str) -> Host:
    """The address that `-H`, SAMPAN_HOST or DOCKER_HOST names; no scheme means TCP, as docker has it."""
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        scheme, rest = "tcp", text.strip()
    if scheme == "unix":
        return Host(f"unix://{rest or DEFAULT_SOCKET}", path=rest or DEFAULT_SOCKET)
    if scheme not in ("tcp", "http"):
        raise errors.InvalidArgument(
            f"Failed to initialize: unable to resolve docker endpoint: invalid bind address format: {text}"
        )
    name, port = _split_port(rest.rstrip("/"), text)
    return Host(f"{scheme}://{rest}", name=name or "localhost", port=port)


def _split_port(address: str, text: str) -> tuple[str, int]:
    if address.startswith("["):
        name, _, tail = address[1:].partition("]")
        port = tail.removeprefix(":")
    else:
        name, _, port = address.partition(":")
    if not port:
        return name, DEFAULT_TCP_PORT
    if not port.isdigit() or int(port) > 65535 or "/" in name:
        raise errors.InvalidArgument(f"unable to parse docker host `{text}`")
    return name, int(port)
