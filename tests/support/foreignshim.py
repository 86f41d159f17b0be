"""A shim with a scripted runtime (fakes.oci_runtime) in place of one that makes containers."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fakes.oci_runtime import OciRuntime
from sampan.linux.mount import Mount
from sampan.runtime import message
from sampan.runtime.request import AttachStream, LaunchRequest, ShimOrders
from sampan.runtime.shim.foreign.shim import ForeignShim
from support.waiting import eventually


class World:
    """The shim, its runtime, and the daemon at the other end of the control connection."""

    def __init__(self, folder: Path, **changes: object) -> None:
        self.folder = folder
        self.runtime = OciRuntime(folder / "bin")
        self.exec_dir, self.exit_path = folder / "exec", folder / "exit.json"
        spec = {"process": {"args": ["init"]}, "linux": {"cgroupsPath": f"/sampan-unit-{os.getpid()}/c1"}}
        wanted: dict[str, Any] = {
            "id": "c1",
            "spec": spec,
            "rootfs": [Mount("overlay", "overlay", "", [])],
            "exec_dir": str(self.exec_dir),
            "exit_path": str(self.exit_path),
            "log": {"driver": "json-file", "path": str(folder / "log"), "max_size": 0, "max_file": 1},
            "runtime": self.runtime.setting,
            **changes,
        }
        self.request = LaunchRequest(**wanted)
        self.far, near = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.shim = ForeignShim(ShimOrders(self.request.shim_part()), near)
        self.sockets = [self.far]
        self._number = 0

    def launch(self) -> None:
        self.shim.launch(None, message.in_memory(self.request.init_part().encode()), namespace_fds={})

    def turn(self) -> bool:
        """One turn of the shim's loop; False when it wants to leave."""
        loop = self.shim.loop
        if not loop._is_running:
            return False
        stopped: list[bool] = []

        def pause() -> None:
            stopped.append(not loop._is_running)
            loop.stop()

        loop.after(0, pause)
        loop.run()
        if stopped == [False]:
            loop._is_running = True
        return loop._is_running

    def until(self, check: Callable[[], object]) -> None:
        def turned() -> bool:
            self.turn()
            return bool(check())

        eventually(turned)

    def until_left(self) -> None:
        eventually(lambda: not self.turn())

    def send(self, do: str, *fds: int, **body: object) -> int:
        self._number += 1
        message.send(self.far, {"do": do, "seq": self._number, **body}, fds)
        return self._number

    def heard(self) -> dict[str, Any]:
        """The next message to the daemon."""
        self.far.setblocking(False)

        def arrived() -> tuple[dict[str, Any], list[int]] | None:
            self.turn()
            try:
                return message.receive(self.far)
            except BlockingIOError:
                return None

        return eventually(arrived)[0]  # type: ignore[index]

    def ask(self, do: str, *fds: int, **body: object) -> dict[str, Any]:
        number = self.send(do, *fds, **body)
        found = self.heard()
        assert found.get("seq") == number, found
        return found

    def exec(self, id: str, stream: bool = False, **process: object) -> dict[str, Any]:
        """Ask for an exec; its stream, if there is to be one, is `self.sockets[-1]`."""
        body: dict[str, object] = {"id": id, "process": {"args": ["x"], **process}, "user": "", "groups": []}
        if not stream:
            return self.ask("exec", **body, tty=False, stdin=False, stream={})
        far, near = socket.socketpair()
        far.settimeout(5)
        self.sockets.append(far)
        found = AttachStream(near.fileno(), stdin=True, stdout=True, stderr=True, framed=False)
        answer = self.ask("exec", near.fileno(), **body, tty=False, stdin=True, stream=found.to_json())
        near.close()
        return answer

    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.exit_path.read_text())
        return found

    def logged(self) -> list[tuple[str, str]]:
        lines = (self.folder / "log").read_text().splitlines()
        return [(line["stream"], line["log"]) for line in map(json.loads, lines)]

    def is_clean(self) -> bool:
        return not self.exec_dir.exists()

    def close(self) -> None:
        self.shim._first.abandon()
        for process in self.shim.execs.values():
            process.abandon()
        self.shim.close()
        if self.shim.log is not None:
            self.shim.log.close(0)
        self.until(lambda: not self.shim.commands._running)
        for connection in list(self.shim.connections):
            connection.close()
        self.shim._stop_listening()
        self.shim.children.close()
        for sock in self.sockets:
            sock.close()
