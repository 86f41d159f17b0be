"""The Engine API on a unix socket, by http.client: what the tests ask an engine behind every front end's back."""

import http.client
import json
import os
import socket
import urllib.parse
from collections.abc import Iterator
from typing import Any

VERSION = "/v1.44"
TIMEOUT_S = 60.0


class Refused(AssertionError):
    """The engine answered 400 or above."""

    def __init__(self, status: int, message: str, request: str) -> None:
        super().__init__(f"{request}: {status} {message}")
        self.status, self.message = status, message


class UnixConnection(http.client.HTTPConnection):
    """HTTP on a unix socket."""

    def __init__(self, path: str, *, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self.path = path

    def connect(self) -> None:
        """Connect to the socket file."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Api:
    """Requests to one engine. A value of `query` that is a dict or list goes as JSON, as `filters` do."""

    def __init__(self, socket_path: str) -> None:
        self.socket_path = socket_path

    def open(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        kind: str = "",
        timeout_s: float = TIMEOUT_S,
        **query: object,
    ) -> http.client.HTTPResponse:
        """Send one request and return the response unread. The response owns the connection."""
        sent = {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in query.items()}
        url = f"{VERSION}{path}" + (f"?{urllib.parse.urlencode(sent)}" if sent else "")
        is_json = not isinstance(body, bytes | None)
        content = json.dumps(body).encode() if is_json else body
        kind = kind or ("application/json" if is_json else "application/x-tar")
        connection = UnixConnection(self.socket_path, timeout_s=timeout_s)
        try:
            connection.request(method, url, content, {"Content-Type": kind} if body is not None else {})
            response = connection.getresponse()
        except BaseException:
            connection.close()
            raise
        response.connection = connection  # type: ignore[attr-defined]
        return response

    def __call__(self, method: str, path: str, body: object = None, **query: Any) -> Any:
        """One call: parsed JSON, or bytes. Raises Refused."""
        response = self.open(method, path, body, **query)
        try:
            content = response.read()
        finally:
            response.connection.close()  # type: ignore[attr-defined]
        is_json = content and response.headers.get_content_type() == "application/json"
        answer = json.loads(content) if is_json else content
        if response.status >= 400:
            message = answer["message"] if isinstance(answer, dict) else content.decode(errors="replace")
            raise Refused(response.status, message, f"{method} {path}")
        return answer

    def create(
        self, image: str, *command: str, name: str = "", host: dict[str, Any] | None = None, **fields: Any
    ) -> str:
        """Create a container and return its id. `host` is HostConfig, `fields` are further keys of the body."""
        body = {"Image": image, "Cmd": list(command), "HostConfig": host or {}, **fields}
        query = {"name": name} if name else {}
        return str(self("POST", "/containers/create", body, **query)["Id"])

    def start(self, ref: str) -> None:
        """Start a container."""
        self("POST", f"/containers/{ref}/start")

    def started(self, image: str, *command: str, **rest: Any) -> str:
        """Create and start."""
        made = self.create(image, *command, **rest)
        self.start(made)
        return made

    def wait(self, ref: str) -> int:
        """The exit code, once there is one."""
        return int(self("POST", f"/containers/{ref}/wait")["StatusCode"])

    def remove(self, ref: str) -> None:
        """Remove by force, whatever state it is in."""
        self("DELETE", f"/containers/{ref}", force=1, v=1)

    def inspect(self, ref: str) -> dict[str, Any]:
        """A container's inspect document."""
        return dict(self("GET", f"/containers/{ref}/json"))

    def logs(self, ref: str, **query: Any) -> bytes:
        """stdout and stderr of a container without a tty, in the order they were logged."""
        options = {"stdout": 1, "stderr": 1, **query}
        return b"".join(content for _, content in frames(self("GET", f"/containers/{ref}/logs", **options)))

    def exec(self, ref: str, *command: str, **fields: Any) -> tuple[int, bytes]:
        """Run a command in a container: its exit code and output."""
        body = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True, **fields}
        made = self("POST", f"/containers/{ref}/exec", body)["Id"]
        raw = self("POST", f"/exec/{made}/start", {"Detach": False, "Tty": False})
        code = self("GET", f"/exec/{made}/json")["ExitCode"]
        return code, b"".join(content for _, content in frames(raw))

    def is_up(self) -> bool:
        """Whether something answers on the socket."""
        if not os.path.exists(self.socket_path):
            return False
        try:
            return bool(self("GET", "/_ping", timeout_s=5) == b"OK")
        except (OSError, http.client.HTTPException, Refused):
            return False


def frames(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """(stream, payload) of each frame of Docker's multiplexed stream."""
    at = 0
    while at < len(raw):
        size = int.from_bytes(raw[at + 4 : at + 8], "big")
        yield raw[at], raw[at + 8 : at + 8 + size]
        at += 8 + size
