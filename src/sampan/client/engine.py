"""The Engine API for one caller: requests, errors, and the version both sides speak.

Invariants  1. The newest version is tried without asking first; an engine that is older says so (400) and the request
               goes out again in its version. Uploads that cannot be repeated ask first.
            2. One idle connection is kept for the next request; one that the engine closed meanwhile is dropped.
Errors      The class follows the HTTP status, the message is Docker's: "Error response from daemon: ...".
            Unavailable when nothing listens.
"""

from __future__ import annotations

from sampan import errors
from sampan.client import http, jsontext, transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from sampan.client.hosts import Host

NEWEST_API = "1.51"
OLDEST_API = "1.24"
PREFIX = "Error response from daemon: "

_CLASSES: dict[int, type[errors.Error]] = {
    304: errors.NotModified,
    400: errors.InvalidArgument,
    401: errors.Unauthenticated,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    409: errors.Conflict,
    429: errors.ResourceExhausted,
    501: errors.Unimplemented,
    503: errors.Unavailable,
}


class Engine:
    """`start`, when given, is called once if nothing listens, and the connection is tried again after it."""

    __slots__ = ("_idle", "_start", "api_version", "host", "is_negotiated", "user_agent")

    def __init__(
        self,
        host: Host,
        *,
        api_version: str = "",
        user_agent: str = "Sampan-Client",
        start: Callable[[], None] | None = None,
    ) -> None:
        self.host = host
        self.user_agent = user_agent
        self.api_version = api_version or NEWEST_API
        self.is_negotiated = bool(api_version)
        self._start = start
        self._idle: transport.Connection | None = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the idle connection; responses that are still read keep theirs."""
        idle, self._idle = self._idle, None
        if idle is not None and idle.is_idle:
            idle.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str | list[str]] | None = None,
        json: object = None,
        upload: Iterable[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> transport.Response:
        """A response whose status is below 400 (and not 304); its body is the caller's to read."""
        if upload is not None:
            self.negotiate()
        fields = {"Host": self.host.header, "User-Agent": self.user_agent, **(headers or {})}
        body: bytes | Iterable[bytes] | None = None
        if json is not None:
            body = jsontext.dumps(json).encode("utf-8", "surrogateescape")
            fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        elif upload is not None:
            body = upload
            fields |= {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"}
        elif method == "POST":
            fields["Content-Length"] = "0"
        while True:
            line = http.target(f"/v{self.api_version}{path}", query)
            response = self._exchange(method, line, fields, body)
            if response.head.status < 400 and response.head.status != 304:
                return response
            message = _message(response)
            if not self._adopt_version(response.head.status, message):
                raise _CLASSES.get(response.head.status, errors.Internal)(PREFIX + message)

    def get(self, path: str, query: dict[str, str | list[str]] | None = None) -> Any:
        """The JSON value of a GET."""
        return jsontext.loads(self.call("GET", path, query=query).read())

    def post(self, path: str, query: dict[str, str | list[str]] | None = None, *, json: object = None) -> Any:
        """The JSON value that a POST answers with, None when there is none."""
        text = self.call("POST", path, query=query, json=json).read()
        return jsontext.loads(text) if text.strip() else None

    def delete(self, path: str, query: dict[str, str | list[str]] | None = None) -> Any:
        text = self.call("DELETE", path, query=query).read()
        return jsontext.loads(text) if text.strip() else None

    def hijack(
        self, path: str, query: dict[str, str | list[str]] | None = None, *, json: object = None
    ) -> transport.Response:
        """A POST that takes its connection over: `.hijack()` of the response gives the socket."""
        return self.call("POST", path, query=query, json=json, headers={"Connection": "Upgrade", "Upgrade": "tcp"})

    def ping(self) -> dict[str, str]:
        """The header fields of `/_ping`, which needs no version."""
        fields = {"Host": self.host.header, "User-Agent": self.user_agent}
        response = self._exchange("GET", "/_ping", fields, None)
        response.read()
        return response.head.headers

    def negotiate(self) -> None:
        """Settle on a version now, for a request that cannot be sent twice."""
        if self.is_negotiated:
            return
        self.is_negotiated = True
        offered = self.ping().get("api-version", OLDEST_API)
        if _version(offered) < _version(self.api_version):
            self.api_version = offered

    def _exchange(
        self, method: str, line: str, fields: dict[str, str], body: bytes | Iterable[bytes] | None
    ) -> transport.Response:
        head = http.encode_head(method, line, fields)
        reused, self._idle = self._idle, None
        if reused is not None:
            if reused.is_usable():
                return self._converse(reused, method, head, body)
            if reused.is_idle:
                reused.close()
        return self._converse(self._connect(), method, head, body)

    def _converse(
        self, connection: transport.Connection, method: str, head: bytes, body: bytes | Iterable[bytes] | None
    ) -> transport.Response:
        connection.send(head, body)
        response = connection.read_response(method)
        self._idle = connection
        return response

    def _connect(self) -> transport.Connection:
        try:
            return transport.Connection(transport.open_socket(self.host))
        except PermissionError as cause:
            raise errors.PermissionDenied(
                "permission denied while trying to connect to the Sampan daemon socket at "
                f"{self.host.text}: connect: permission denied"
            ) from cause
        except OSError as cause:
            if self._start is not None:
                start, self._start = self._start, None
                start()
                return self._connect()
            raise errors.Unavailable(
                f"Cannot connect to the Sampan daemon at {self.host.text}. Is the sampan daemon running?"
            ) from cause

    def _adopt_version(self, status: int, message: str) -> bool:
        """Take the engine's version when it refused ours as too new, once."""
        if self.is_negotiated or status != 400 or "is too new. Maximum supported API version is " not in message:
            return False
        self.is_negotiated = True
        self.api_version = message.rpartition("Maximum supported API version is ")[2].strip().rstrip(".")
        return True


def _message(response: transport.Response) -> str:
    """What an error response says: Docker's `{"message"}`, else its text, else its status."""
    text = response.read().decode("utf-8", "replace").strip()
    if response.head.headers.get("content-type", "").startswith("application/json"):
        try:
            found = jsontext.loads(text)
        except errors.InvalidArgument:
            return text
        if isinstance(found, dict) and isinstance(found.get("message"), str):
            return str(found["message"]).rstrip()
    return text or f"{response.head.status} {response.head.reason}"


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())
