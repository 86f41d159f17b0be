"""A launcher without a daemon: containers from an OCI config and an overlay on a busybox root, below one folder.

Layout       <folder>/{lower,layers/<n>/{fs,work},exec/<id>,data/<id>/{exit.json,log},launcher.log}
Marker       SAMPAN_TEST_FOLDER in the launcher's environment, by which all its processes are told (support.leaks).
At the end   `Lab.check_nothing_left` insists that processes, mounts, cgroups and exec directories are gone.
"""

import asyncio
import copy
import io
import json
import os
import shutil
import socket
import struct
import tarfile
import tempfile
import uuid
from collections.abc import Callable
from typing import Any

from sampan.engine.launcher import Launcher, Netns
from sampan.engine.shim import Shim
from sampan.linux.mount import Mount
from sampan.runtime.request import AttachStream, ExitRecord, LaunchRequest
from support import leaks, rootfs
from support.sampand import MARKER
from support.waiting import eventually

CAPABILITIES = (
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FSETID CAP_FOWNER CAP_MKNOD CAP_NET_RAW CAP_SETGID CAP_SETUID CAP_SETFCAP "
    "CAP_SETPCAP CAP_NET_BIND_SERVICE CAP_SYS_CHROOT CAP_KILL CAP_AUDIT_WRITE"
).split()
NAMESPACES = ("mount", "network", "uts", "pid", "ipc", "cgroup")
MOUNTS = [
    Mount("proc", "proc", "/proc", ["nosuid", "noexec", "nodev"]),
    Mount("tmpfs", "tmpfs", "/dev", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    Mount("devpts", "devpts", "/dev/pts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    Mount("sysfs", "sysfs", "/sys", ["nosuid", "noexec", "nodev", "ro"]),
    Mount("tmpfs", "shm", "/dev/shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
]
FRAME = struct.Struct(">BxxxI")


def frames(stream: bytes) -> list[tuple[int, bytes]]:
    """Docker's stream format taken apart: (1 for standard output or 2 for errors, bytes)."""
    found = []
    while stream:
        kind, length = FRAME.unpack_from(stream)
        found.append((kind, stream[FRAME.size : FRAME.size + length]))
        assert len(found[-1][1]) == length, "the last frame is cut short"
        stream = stream[FRAME.size + length :]
    return found


class Terminal:
    """A client's end of an attached stream."""

    def __init__(self) -> None:
        self.sock, near = socket.socketpair()
        self.sock.setblocking(False)
        self._near = near
        self.got = b""

    def stream(self, *, framed: bool, **options: Any) -> AttachStream:
        wanted = {"stdin": True, "stdout": True, "stderr": True, **options}
        return AttachStream(self._near.detach(), framed=framed, **wanted)

    async def read_to_end(self) -> bytes:
        loop = asyncio.get_running_loop()
        while piece := await loop.sock_recv(self.sock, 1 << 16):
            self.got += piece
        return self.got

    async def read_until(self, text: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        while text not in self.got:
            piece = await loop.sock_recv(self.sock, 1 << 16)
            assert piece, f"the stream ended without {text!r}: {self.got!r}"
            self.got += piece
        return self.got

    async def write(self, text: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, text)


class Outcome:
    """What became of a container that ran to its end."""

    def __init__(self, record: ExitRecord, stream: bytes) -> None:
        self.record = record
        self.code = record.exit_code
        self.frames = frames(stream)
        self.out = b"".join(piece for kind, piece in self.frames if kind == 1).decode()
        self.err = b"".join(piece for kind, piece in self.frames if kind == 2).decode()


class Container:
    """One launch; `shim` is there after `launch`."""

    def __init__(self, lab: "Lab", id: str) -> None:
        self.lab = lab
        self.id = id
        self.exec_dir = f"{lab.folder}/exec/{id}"
        self.exit_path = f"{lab.folder}/data/{id}/exit.json"
        self.log_path = f"{lab.folder}/data/{id}/log"
        self.layer = f"{lab.folder}/layers/{id}"
        self.cgroup = f"{lab.cgroup_parent}/{id}"
        self.shim: Shim

    def upper(self, path: str) -> str:
        """A file of the container's own layer, on the host."""
        return f"{self.layer}/fs/{path}"

    def cgroups(self) -> list[str]:
        return leaks.cgroups({self.id})

    def shim_pid(self) -> int:

        with open(f"{self.exec_dir}/state.json") as file:
            return int(json.load(file)["shim_pid"])


class Lab:
    """The folder with all that containers need; `launcher` is running while a test does."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="sampan-lab-", dir="/tmp")
        self.cgroup_parent = f"/sampan-lab-{uuid.uuid4().hex[:8]}"
        for name in ("lower", "layers", "exec", "data"):
            os.mkdir(f"{self.folder}/{name}")
        with tarfile.open(fileobj=io.BytesIO(rootfs.busybox())) as tar:
            tar.extractall(f"{self.folder}/lower")
        open(f"{self.folder}/launcher.log", "w").close()
        os.environ[MARKER] = self.folder
        self.launcher: Launcher

    def run(self, body: "Callable[[Lab], Any]", *, timeout_s: float = 60.0) -> Any:
        """Run `body(lab)` with a launcher; afterwards its log must be empty and nothing of it left."""

        async def main() -> Any:
            with open(f"{self.folder}/launcher.log", "ab") as log:
                async with asyncio.timeout(timeout_s), Launcher(log_fd=log.fileno()) as self.launcher:
                    return await body(self)

        try:
            result = asyncio.run(main())
            self.check_nothing_left()
        except BaseException:
            self.kill_all()  # or the next test would be blamed
            raise
        return result

    def log(self) -> str:
        with open(f"{self.folder}/launcher.log") as file:
            return file.read()

    def spec(self, *args: str, **changes: Any) -> dict[str, Any]:
        """A config like the engine's; `changes` are fields of its process or, by name, of the whole."""
        capabilities = {kind: list(CAPABILITIES) for kind in ("bounding", "effective", "permitted")}
        found: dict[str, Any] = {
            "ociVersion": "1.2.1",
            "process": {
                "args": list(args),
                "env": ["PATH=/bin:/usr/bin"],
                "cwd": "/",
                "user": {"uid": 0, "gid": 0},
                "capabilities": capabilities,
            },
            "root": {"path": "rootfs", "readonly": False},
            "hostname": "lab",
            "mounts": [mount.to_json() for mount in MOUNTS],
            "linux": {"namespaces": [{"type": kind} for kind in NAMESPACES], "resources": {}},
        }
        for name, value in changes.items():
            where = found if name in ("root", "annotations", "hostname") else found["process"]
            where = found["linux"] if name in ("maskedPaths", "readonlyPaths", "namespaces", "resources") else where
            where[name] = copy.deepcopy(value)
        return found

    def container(self) -> Container:
        """A new container with an empty layer."""
        found = Container(self, uuid.uuid4().hex + uuid.uuid4().hex)
        for path in (f"{found.layer}/fs", f"{found.layer}/work", os.path.dirname(found.exit_path)):
            os.makedirs(path)
        return found

    async def launch(
        self,
        container: Container,
        spec: dict[str, Any],
        *,
        binds: list[Mount] | None = None,
        streams: list[AttachStream] | None = None,
        netns: Netns | None = None,
        **options: Any,
    ) -> Shim:
        """Launch, and wait for nothing."""
        spec["linux"]["cgroupsPath"] = container.cgroup
        spec["mounts"] += [mount.to_json() for mount in binds or []]
        request = LaunchRequest(
            id=container.id,
            spec=spec,
            rootfs=[
                Mount(
                    "overlay",
                    "overlay",
                    "",
                    [
                        f"lowerdir={self.folder}/lower",
                        f"upperdir={container.layer}/fs",
                        f"workdir={container.layer}/work",
                    ],
                )
            ],
            exec_dir=container.exec_dir,
            exit_path=container.exit_path,
            log={"driver": "json-file", "path": container.log_path, "max_size": 0, "max_file": 1},
            **options,
        )
        own = netns or await self.launcher.netns()
        try:
            container.shim = await self.launcher.launch(request, netns=own, attaches=streams)
        finally:
            own.close()
        return container.shim

    async def start(self, *args: str, container: Container | None = None, **options: Any) -> Container:
        """Launch and start; the container runs."""
        found = container or self.container()
        own = ("binds", "streams", "user", "groups", "create_cwd", "tty", "open_stdin", "stdin_once")
        given = {name: options.pop(name) for name in own if name in options}
        shim = await self.launch(found, self.spec(*args, **options), **given)
        await shim.start()
        return found

    async def outcome(self, *args: str, **options: Any) -> Outcome:
        """Run a command to its end."""
        terminal = Terminal()
        streams = [terminal.stream(framed=True, stdin=False)]
        try:
            container = await self.start(*args, streams=streams, **options)
        except BaseException:
            terminal.sock.close()
            raise
        stream = await terminal.read_to_end()
        record = await container.shim.wait_exit()
        terminal.sock.close()
        container.shim.disconnect()
        return Outcome(record, stream)

    async def script(self, text: str, **options: Any) -> list[str]:
        """Run a shell script that must succeed; its lines."""
        found = await self.outcome("sh", "-c", text, **options)
        assert found.code == 0, (found.code, found.out, found.err)
        return found.out.splitlines()

    async def end(self, container: Container) -> ExitRecord:
        """Kill and wait."""
        await container.shim.kill(9)
        record = await container.shim.wait_exit()
        container.shim.disconnect()
        return record

    def leftovers(self) -> list[str]:
        """Everything that should not be there any more."""
        found = [f"process {pid} {line}" for pid, line in leaks.processes(self.folder).items()]
        found += [f"mount {line}" for line in leaks.mounts(self.folder)]
        found += [f"exec directory {path}" for path in leaks.entries(f"{self.folder}/exec")]
        return found + [f"cgroup {path}" for path in leaks.cgroups(set(os.listdir(f"{self.folder}/layers")))]

    def check_nothing_left(self) -> None:
        def is_clean() -> bool:
            left = self.leftovers()
            assert left == [], left
            return True

        eventually(is_clean)

    def kill_all(self) -> None:
        """Kill what a failed test left, and remove the exec directories that nobody else will."""
        for pid in leaks.processes(self.folder):
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        eventually(lambda: not leaks.processes(self.folder))
        for path in leaks.entries(f"{self.folder}/exec"):
            shutil.rmtree(path)
        for folder in leaks.cgroups(set(os.listdir(f"{self.folder}/layers"))):
            eventually(lambda folder=folder: _removed(folder))

    def destroy(self) -> None:
        """Kill what a failed test left, then remove the folder."""
        os.environ.pop(MARKER, None)
        self.kill_all()
        for folder in self._cgroup_parents():
            eventually(lambda folder=folder: _removed(folder))
        shutil.rmtree(self.folder)

    def _cgroup_parents(self) -> list[str]:
        name = self.cgroup_parent.strip("/")
        return [os.path.join(folder, name) for folder, names, _ in os.walk(leaks.CGROUP_ROOT) if name in names]


def _removed(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
