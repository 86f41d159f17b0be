"""An engine that answers from a script: what a client sends is recorded, what it gets is decided by a function."""

import json
import os
import socket
import threading
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit


class Request(NamedTuple):
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Reply(NamedTuple):
    """`takeover`, when given, has the socket after the head was sent."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] | None = None
    takeover: Callable[[socket.socket], None] | None = None


def reply_json(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def refuse(status: int, message: str) -> Reply:
    return reply_json({"message": message}, status)


class ScriptedEngine:
    """`with ScriptedEngine(folder, answer) as engine:`; the paths in requests are without their /vX.Y."""

    def __init__(self, folder: Any, answer: Callable[[Request], Reply], *, max_api: str = "1.51") -> None:
        self.path = os.path.join(str(folder), "engine.sock")
        self.requests: list[Request] = []
        self.versions: list[str] = []
        self.connections = 0
        self._answer = answer
        self._max_api = max_api
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(16)
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> "ScriptedEngine":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def _accept(self) -> None:
        serving = []
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                break
            self.connections += 1
            serving.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
            serving[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while (request := self._read(stream)) is not None:
                version = request.path.split("/")[1].removeprefix("v")
                if version[0].isdigit():
                    self.versions.append(version)
                    request = request._replace(path=request.path.removeprefix(f"/v{version}"))
                self.requests.append(request)
                if version[0].isdigit() and float(version) > float(self._max_api):
                    reply = refuse(
                        400, f"client version {version} is too new. Maximum supported API version is {self._max_api}"
                    )
                else:
                    reply = self._answer(request)
                if not self._send(connection, reply):
                    return

    def _send(self, connection: socket.socket, reply: Reply) -> bool:
        headers = {"Api-Version": self._max_api, **(reply.headers or {})}
        if reply.takeover is None and "Transfer-Encoding" not in headers:
            headers["Content-Length"] = str(len(reply.body))
        lines = [f"HTTP/1.1 {reply.status} Said", *(f"{name}: {value}" for name, value in headers.items())]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + reply.body)
        if reply.takeover is not None:
            reply.takeover(connection)
            return False
        return True

    @staticmethod
    def _read(stream: Any) -> Request | None:
        first = stream.readline().decode().split()
        if not first:
            return None
        headers = {}
        while line := stream.readline().strip().decode():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            while size := int(stream.readline(), 16):
                body += stream.read(size)
                stream.readline()
            stream.readline()
        elif "content-length" in headers:
            body = stream.read(int(headers["content-length"]))
        parts = urlsplit(first[1])
        return Request(first[0], parts.path, parse_qs(parts.query, keep_blank_values=True), headers, body)
