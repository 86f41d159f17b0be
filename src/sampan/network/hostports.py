"""Host ports: who has which, chosen, and held against other programs.

Packets for a published port never reach a socket of the host (the firewall sends them on), so nothing but a bound
socket tells other programs that the port is in use: one is kept for every published port. It does not listen, so that
a connection that does arrive is refused instead of hanging.

Invariants  1. Two published ports never overlap: same protocol and number, and the same address or one is 0.0.0.0.
            2. What `claim` returned stays claimed until `release`.
Errors      Internal, with Docker's words and, as with Docker, status 500.
"""

import errno
import os
import socket
from collections.abc import Iterator

from sampan import errors
from sampan.network.values import ANY_ADDRESS, PROTOCOLS, PortBinding, PublishedPort

_RANDOM_RANGE_PATH = "/proc/sys/net/ipv4/ip_local_port_range"
_DEFAULT_RANDOM_RANGE = (32768, 60999)


class HostPorts:
    """The host ports of one daemon. Not thread-safe: it lives in the event loop and only binds sockets."""

    def __init__(self, random_range: tuple[int, int] | None = None) -> None:
        self._first, self._last = random_range or _read_random_range()
        # The next random port of each protocol; going round gives a port back to others for as long as possible.
        self._next = dict.fromkeys(PROTOCOLS, self._first)
        self._holders: dict[tuple[str, int], dict[str, socket.socket | None]] = {}

    def claim(self, binding: PortBinding, container_ip: str) -> PublishedPort:
        """Choose and hold a host port for the binding."""
        is_fixed = 0 < binding.host_port_first == binding.host_port_last
        refusal: OSError | None = None
        for port in self._candidates(binding):
            holder = self._holder(binding, port)
            if holder:
                if is_fixed:
                    raise errors.Internal(f"Bind for {holder}:{port} failed: port is already allocated")
                continue
            try:
                held = _hold(binding.protocol, binding.host_ip, port)
            except OSError as error:
                refusal = error
                if is_fixed or error.errno != errno.EADDRINUSE:
                    raise _bind_error(binding, port, container_ip, error) from error
                continue
            self._holders.setdefault((binding.protocol, port), {})[binding.host_ip] = held
            if not binding.host_port_first:
                self._next[binding.protocol] = port + 1
            return PublishedPort(binding.container_port, binding.protocol, binding.host_ip, port)
        raise errors.Internal("all ports are allocated") from refusal

    def restore(self, published: PublishedPort) -> bool:
        """Claim again what an earlier daemon had published; False when another program has bound it meanwhile."""
        try:
            held = _hold(published.protocol, published.host_ip, published.host_port)
        except OSError:
            held = None
        self._holders.setdefault((published.protocol, published.host_port), {})[published.host_ip] = held
        return held is not None

    def release(self, published: PublishedPort) -> None:
        """Give a port back; doing so twice is harmless."""
        key = (published.protocol, published.host_port)
        holders = self._holders.get(key, {})
        held = holders.pop(published.host_ip, None)
        if held is not None:
            held.close()
        if not holders:
            self._holders.pop(key, None)

    def close(self) -> None:
        """Close all sockets; what they published goes on without them."""
        for holders in self._holders.values():
            for held in holders.values():
                if held is not None:
                    held.close()
        self._holders.clear()

    def _candidates(self, binding: PortBinding) -> Iterator[int]:
        if binding.host_port_first:
            yield from range(binding.host_port_first, binding.host_port_last + 1)
            return
        start = self._next[binding.protocol]
        yield from range(start, self._last + 1)
        yield from range(self._first, min(start, self._last + 1))

    def _holder(self, binding: PortBinding, port: int) -> str | None:
        """The address whose claim of this port stands in the way."""
        for address in self._holders.get((binding.protocol, port), {}):
            if ANY_ADDRESS in (address, binding.host_ip) or address == binding.host_ip:
                return address
        return None


def _hold(protocol: str, host_ip: str, port: int) -> socket.socket | None:
    """A socket bound to the port; None for a protocol that this kernel has no sockets of."""
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    try:
        held = socket.socket(socket.AF_INET, kind, PROTOCOLS[protocol])
    except OSError as error:
        if error.errno in (errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT):
            return None
        raise
    try:
        try:
            held.bind((host_ip, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or protocol != "tcp":
                raise
            # Closed connections of an earlier server (TIME_WAIT) are in the way as well; SO_REUSEADDR passes those.
            # Listening then keeps out others that set it, which a merely bound socket with the option would not.
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind((host_ip, port))
            held.listen(1)
    except BaseException:
        held.close()
        raise
    return held


def _bind_error(binding: PortBinding, port: int, container_ip: str, cause: OSError) -> errors.Error:
    reason = os.strerror(cause.errno or 0)
    reason = reason[:1].lower() + reason[1:]
    target = f"{binding.host_ip}:{port}:{container_ip}:{binding.container_port}/{binding.protocol}"
    return errors.Internal(f"failed to bind host port for {target}: {reason}")


def _read_random_range() -> tuple[int, int]:
    try:
        with open(_RANDOM_RANGE_PATH) as file:
            first, last = map(int, file.read().split())
    except (OSError, ValueError):
        return _DEFAULT_RANDOM_RANGE
    return first, last
