"""A systemd to talk to over D-Bus: it keeps units in memory, and makes directories for them if it is given a place.

It speaks to one connection at a time, as a bus would: authentication, Hello, calls, the signal JobRemoved. What it was
asked is in `calls`; what it answers otherwise than well is set in `errors` (a method's name to an error's) and
`job_result`.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jeepney

SYSTEMD = "org.freedesktop.systemd1"


class FakeSystemd:
    """Serves `address`, a D-Bus address."""

    def __init__(self, folder: str, cgroups: str = "") -> None:
        self.calls: list[tuple[str, Any]] = []
        self.errors: dict[str, list[str]] = {}
        self.job_result = "done"
        self.units: dict[str, dict[str, Any]] = {}
        self.properties = {"Version": "252.39-1", "ControlGroup": "/user.slice/user-7.slice/user@7.service"}
        self.cgroups = cgroups
        self.address = f"unix:path={folder}/bus"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{folder}/bus")
        self._listener.listen()

    @contextmanager
    def serving(self) -> Iterator["FakeSystemd"]:
        """While it answers."""
        thread = threading.Thread(target=self._serve)
        thread.start()
        yield self
        self._listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        self._listener.close()

    def asked(self, method: str) -> list[Any]:
        """The arguments of the calls of one method."""
        return [body for name, body in self.calls if name == method]

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer:
                self._authenticate(peer)
                self._answer(peer)

    def _authenticate(self, peer: socket.socket) -> None:
        received = b""
        while not received.endswith(b"\r\n"):
            received += peer.recv(1024)
        peer.sendall(b"OK 0123456789abcdef\r\n")
        received = b""
        while not received.startswith(b"BEGIN\r\n"):
            received += peer.recv(len(b"BEGIN\r\n") - len(received))

    def _answer(self, peer: socket.socket) -> None:
        parser = jeepney.Parser()
        serial = 1
        while data := peer.recv(65536):
            parser.add_data(data)
            while (message := parser.get_next_message()) is not None:
                for reply in self._replies(message):
                    peer.sendall(reply.serialise(serial=serial))
                    serial += 1

    def _replies(self, message: Any) -> list[Any]:
        method = message.header.fields[jeepney.HeaderFields.member]
        self.calls.append((method, message.body))
        if self.errors.get(method):
            name = f"{SYSTEMD}.{self.errors[method].pop(0)}"
            return [jeepney.new_error(message, name, "s", (f"{method} went wrong",))]
        if method == "Hello":
            return [jeepney.new_method_return(message, "s", (":1.7",))]
        if method == "Get":
            return [jeepney.new_method_return(message, "v", (("s", self.properties[message.body[1]]),))]
        if method in ("StartTransientUnit", "StopUnit"):
            return self._job(message, method)
        return [jeepney.new_method_return(message)]

    def _job(self, message: Any, method: str) -> list[Any]:
        unit = message.body[0]
        if method == "StopUnit" and self.units.pop(unit, None) is None:
            return [jeepney.new_error(message, f"{SYSTEMD}.NoSuchUnit", "s", (f"Unit {unit} not loaded.",))]
        if method == "StartTransientUnit":
            self.units[unit] = {name: value for name, (_, value) in message.body[2]}
            if self.cgroups:
                os.makedirs(f"{self.cgroups}/{self.units[unit]['Slice']}/{unit}")
        path = f"{'/'.join(['/org/freedesktop/systemd1/job', str(len(self.calls))])}"
        emitter = jeepney.DBusAddress("/org/freedesktop/systemd1", interface=f"{SYSTEMD}.Manager")
        signals = [
            jeepney.new_signal(emitter, "JobRemoved", "uoss", (number, job, unit, result))
            for number, job, result in ((1, "/another/job", "failed"), (2, path, self.job_result))
        ]
        return [jeepney.new_method_return(message, "o", (path,)), *signals]
