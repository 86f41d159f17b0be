"""A bundle of the static busybox, and any OCI runtime with runc's command line to run it.

The suite in tests/conformance/oci_runtime asks of `sampan-runtime` and of a runc beside it the same questions, so only
options and texts are used here that both have. A container is named after the test run; its folder is readable for
everybody, since the root of a user namespace is nobody outside.
"""

import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import uuid
from typing import Any

from sampan.runtime.cgroup.detect import hierarchies
from support import rootfs
from support.waiting import eventually

Json = dict[str, Any]

ADDED_CAPABILITIES = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SYS_CHROOT")
NAMESPACES = ("pid", "network", "ipc", "uts", "mount")
HOLD = ("sleep", "600")  # a program that stays until it is killed


def mount(target: str, kind: str, *options: str, source: str = "") -> Json:
    """One entry of `mounts`."""
    return {"destination": target, "type": kind, "source": source or kind, "options": list(options)}


def config() -> Json:
    """The config.json that tests begin with."""
    names = list(ADDED_CAPABILITIES)
    sets = dict.fromkeys(("bounding", "effective", "permitted"), names)
    process = {
        "args": ["true"],
        "cwd": "/",
        "env": ["PATH=/bin"],
        "user": {"uid": 0, "gid": 0},
        "capabilities": sets,
    }
    mounts = [
        mount("/proc", "proc", "nosuid", "noexec", "nodev"),
        mount("/dev", "tmpfs", "nosuid", "mode=755", "size=65536k"),
        mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
        mount("/dev/shm", "tmpfs", "nosuid", "noexec", "nodev", "mode=1777"),
    ]
    linux = {"namespaces": [{"type": kind} for kind in NAMESPACES], "resources": {}}
    return {"ociVersion": "1.0.2", "process": process, "root": {"path": "rootfs"}, "mounts": mounts, "linux": linux}


class Lab:
    """A state root, a bundle and a container id; `program` is the runtime. `close` leaves nothing behind."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.folder = tempfile.mkdtemp(prefix="sampan-oci-")
        os.chmod(self.folder, 0o755)
        self.states = f"{self.folder}/states"
        self.bundle = f"{self.folder}/bundle"
        self.rootfs = f"{self.bundle}/rootfs"
        self.ids: list[str] = []
        self.id = self.name()
        os.makedirs(self.rootfs)
        with tarfile.open(fileobj=io.BytesIO(rootfs.busybox())) as tar:
            tar.extractall(self.rootfs)
        self.config = config()
        self.config["linux"]["cgroupsPath"] = f"/{self.id}"

    @property
    def is_runc(self) -> bool:
        """Where runc departs from the specification."""
        return os.path.basename(self.program) == "runc"

    @property
    def process(self) -> Json:
        found: Json = self.config["process"]
        return found

    @property
    def linux(self) -> Json:
        found: Json = self.config["linux"]
        return found

    def name(self) -> str:
        """An id of our own; its container is removed at the end."""
        self.ids.append(f"smpoci-{uuid.uuid4().hex[:12]}")
        return self.ids[-1]

    def words(self, *words: str) -> list[str]:
        """The command line of a call."""
        return [self.program, "--root", self.states, *words]

    def call(
        self,
        *words: str,
        check: bool = True,
        stdin: int = -1,
        env: "dict[str, str] | None" = None,
        as_third: bool = False,
    ) -> "subprocess.CompletedProcess[str]":
        """One call of the runtime; `as_third` gives it `stdin` as descriptor 3 instead.

        Its streams are files: a container that stays keeps them open. And none is the host's /dev/null, which runc
        before 1.2 gives to the container's user.
        """
        # Not by dup2(2) in this process, where somebody may need the number.
        before = ["sh", "-c", 'exec 3<&0 </dev/null; exec "$0" "$@"'] if as_third else []
        with (
            tempfile.TemporaryFile() as nothing,
            tempfile.TemporaryFile("w+") as out,
            tempfile.TemporaryFile("w+") as err,
        ):
            done = subprocess.run(
                [*before, *self.words(*words)],
                stdin=nothing if stdin < 0 else stdin,
                stdout=out,
                stderr=err,
                env=os.environ | (env or {}),
                check=False,
                timeout=60,
            )
            out.seek(0)
            err.seek(0)
            found = subprocess.CompletedProcess(words, done.returncode, out.read(), err.read())
        assert not check or found.returncode == 0, f"{words[0]}: {found.returncode}: {found.stdout}{found.stderr}"
        return found

    def refusal(self, *words: str) -> str:
        """What a call that has to fail says."""
        done = self.call(*words, check=False)
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr

    def write(self, *args: str) -> None:
        """Write config.json; with `args` as the program."""
        if args:
            self.process["args"] = list(args)
        with open(f"{self.bundle}/config.json", "w") as file:
            json.dump(self.config, file)

    def create(self, *args: str, options: tuple[str, ...] = ()) -> None:
        self.write(*args)
        self.call("create", "--bundle", self.bundle, *options, self.id)

    def start(self) -> None:
        self.call("start", self.id)

    def run(self, *args: str, options: tuple[str, ...] = (), check: bool = True) -> "subprocess.CompletedProcess[str]":
        """`run` in the foreground."""
        self.write(*args)
        return self.call("run", "--bundle", self.bundle, *options, self.id, check=check)

    def output(self, *args: str) -> str:
        """What a program prints in a container of its own."""
        return self.run(*args).stdout.strip()

    def detach(self, *args: str, options: tuple[str, ...] = ()) -> None:
        """`run --detach`; without `args` a program that stays."""
        self.write(*(args or HOLD))
        self.call("run", "--detach", "--bundle", self.bundle, *options, self.id)

    def exec(self, *args: str, options: tuple[str, ...] = ()) -> str:
        """What a further process prints."""
        return self.call("exec", *options, self.id, *args).stdout.strip()

    def state(self, id: str = "") -> Json:
        found: Json = json.loads(self.call("state", id or self.id).stdout)
        return found

    def status(self) -> str:
        return str(self.state()["status"])

    def pid(self) -> int:
        return int(self.state()["pid"])

    def exists(self) -> bool:
        return self.call("state", self.id, check=False).returncode == 0

    def wait_stopped(self) -> None:
        eventually(lambda: self.status() == "stopped", why="the container does not stop")

    def cgroup_folder(self, controller: str) -> str:
        """The container's directory in the hierarchy of a controller."""
        found = hierarchies()
        return f"{found.v2 if found.is_v2 else found.v1[controller]}/{self.id}"

    def cgroup(self, controller: str, name1: str, name2: str) -> str:
        """A cgroup file's content, by its name in version 1 or 2."""
        with open(f"{self.cgroup_folder(controller)}/{name2 if hierarchies().is_v2 else name1}") as file:
            return file.read().strip()

    def read(self, name: str) -> str:
        """A file below the container's root; "" when it is missing."""
        try:
            with open(f"{self.rootfs}/{name}") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def close(self) -> None:
        """Remove the containers; AssertionError when one leaves a state or a cgroup behind."""
        for id in self.ids:
            self.call("delete", "--force", id)
        left = [name for name in _entries(self.states) if name in self.ids]
        left += [
            folder for folder in (self.cgroup_folder("pids"), self.cgroup_folder("memory")) if os.path.exists(folder)
        ]
        shutil.rmtree(self.folder)
        assert not left


def _entries(path: str) -> list[str]:
    return os.listdir(path) if os.path.isdir(path) else []


def stand_in(program: str) -> str:
    """The path of a program, "" when it is not installed."""
    return shutil.which(program) or ""
