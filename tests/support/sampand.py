"""A daemon under test: `sampand` as a subprocess on roots, socket, bridge and subnet of its own.

Layout       <folder>/{data,exec,sampan.sock,sampand.pid,sampand.log}
Marker       Its environment carries the folder's path, so every process it forks can be told (support.leaks).
Numbers      Bridge smph<n> with 10.85.<n>.1/24: n is the first that no link on this host uses.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile

from support import leaks
from support.api import Api
from support.frontend import program
from support.waiting import eventually

MARKER = "SAMPAN_TEST_FOLDER"
IDLE_NAMES = ("sampan-launcher", "sampan-shim")
IDLE_PROCESSES = 3
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0


class Sampand:
    """One daemon. `start`, `stop` and `kill` may follow each other on the same roots; `destroy` ends it for good."""

    def __init__(self, *flags: str) -> None:
        self.folder = tempfile.mkdtemp(prefix="smph-", dir="/tmp")  # a unix socket's path has 107 bytes
        self.data_root = os.path.join(self.folder, "data")
        self.exec_root = os.path.join(self.folder, "exec")
        self.socket_path = os.path.join(self.folder, "sampan.sock")
        self.log_path = os.path.join(self.folder, "sampand.log")
        self.number = _free_number()
        self.bridge = f"smph{self.number}"
        self.flags = flags
        self.api = Api(self.socket_path)
        self.process: subprocess.Popen[bytes] | None = None
        self.seen_ids: set[str] = set()

    @property
    def pid(self) -> int:
        """The running daemon's."""
        assert self.process is not None, "not started"
        return self.process.pid

    def command(self) -> list[str]:
        """The program, without its flags."""
        return [program("sampand")]

    def start(self) -> None:
        """Start it and wait until it answers."""
        argv = [*self.command(), "--data-root", self.data_root, "--exec-root", self.exec_root]
        argv += ["--host", f"unix://{self.socket_path}", "--pidfile", os.path.join(self.folder, "sampand.pid")]
        argv += ["--bridge", self.bridge, "--bip", f"10.85.{self.number}.1/24", "--log-level", "debug", *self.flags]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                argv,
                env={**os.environ, MARKER: self.folder},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually(self._answers, START_TIMEOUT_S, "sampand does not answer")

    def _answers(self) -> bool:
        assert self.process is not None
        if (code := self.process.poll()) is not None:
            raise RuntimeError(f"sampand ended with {code}:\n{self.log()[-4000:]}")
        return self.api.is_up()

    def stop(self) -> None:
        """SIGTERM, as a service manager does. Containers go on."""
        if self.process is not None:
            self.note_ids()
            self.process.terminate()
            code = self.process.wait(STOP_TIMEOUT_S)
            self.process = None
            assert code == 0, f"sampand ended with {code} on SIGTERM"

    def kill(self) -> None:
        """kill -9, no chance to tidy."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)
        self.process = None

    def restart(self) -> None:
        """Start it again, on the same roots."""
        self.start()

    def log(self) -> str:
        """What it wrote to its standard error so far."""
        with contextlib.suppress(FileNotFoundError), open(self.log_path, errors="replace") as file:
            return file.read()
        return ""

    def containers(self) -> list[str]:
        """Ids of all containers."""
        return [entry["Id"] for entry in self.api("GET", "/containers/json", all=1)]

    def note_ids(self) -> None:
        """Remember the containers of now, to look for their cgroups later."""
        with contextlib.suppress(OSError):
            self.seen_ids.update(self.containers())

    def remove_containers(self) -> None:
        """Remove them all, by force."""
        self.note_ids()
        for container in self.containers():
            self.api.remove(container)

    def children(self) -> dict[int, str]:
        """Its processes but for itself: launcher, shims, containers'."""
        own = self.process.pid if self.process else 0
        return {pid: line for pid, line in leaks.processes(self.folder).items() if pid != own}

    def launcher_pid(self) -> int:
        """The daemon's one child."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as file:
            found = [int(pid) for pid in file.read().split()]
        assert len(found) == 1, f"children of sampand: {found}"
        return found[0]

    def idle_pids(self) -> list[int]:
        """The launcher, and the shim that it keeps ready with a first process; no more than that."""
        idle = [pid for pid in leaks.processes(self.folder) if leaks.command_name(pid) in IDLE_NAMES]
        return idle if len(idle) <= IDLE_PROCESSES else [self.launcher_pid()]

    def leftovers(self) -> list[str]:
        """What containers left behind, when there should be none: empty is good. The daemon may run."""
        spared = {self.pid, *self.idle_pids()} if self.process else set()
        found = [f"process {p}: {line}" for p, line in leaks.processes(self.folder).items() if p not in spared]
        found += [f"mount {line}" for line in leaks.mounts(self.folder)]
        found += [f"cgroup {path}" for path in leaks.cgroups(self.seen_ids)]
        found += [f"port {link} of {self.bridge}" for link in leaks.ports(self.bridge)]
        folders = (os.path.join(self.exec_root, "containers"), os.path.join(self.data_root, "containers"))
        return found + [f"file {path}" for path in leaks.entries(*folders)]

    def assert_nothing_left(self, timeout_s: float = 10.0) -> None:
        """Raise unless all that containers took is given back."""

        def is_clean() -> bool:
            found = self.leftovers()
            assert not found, "left behind:\n" + "\n".join(found)
            return True

        eventually(is_clean, timeout_s)

    def destroy(self) -> None:
        """End everything, by force where need be, then say what had to be forced."""
        complaints: list[str] = []
        try:
            if self.process is not None and self.process.poll() is None:
                self.remove_containers()
                self.assert_nothing_left()
                self.stop()
            eventually(lambda: not leaks.processes(self.folder), 10, "processes outlive the daemon")
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            complaints.append(str(error))
        complaints += self._sweep()
        assert not complaints, "\n".join(complaints)

    def _sweep(self) -> list[str]:
        found = []
        for pid, line in leaks.processes(self.folder).items():
            found.append(f"process {pid}: {line}")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait(STOP_TIMEOUT_S)
        for line in reversed(leaks.mounts(self.folder)):
            found.append(f"mount {line}")
            subprocess.run(["umount", "-l", line.split()[4]], check=False)
        found += [f"table {table}" for table in leaks.tables(self.bridge)]
        for table in leaks.tables(self.bridge):
            subprocess.run(["nft", "delete", *table.split()], check=False)
        if os.path.exists(f"/sys/class/net/{self.bridge}"):
            found.append(f"bridge {self.bridge}")
            subprocess.run(["ip", "link", "delete", self.bridge], check=False)
        for path in sorted(leaks.cgroups(self.seen_ids), key=len, reverse=True):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        shutil.rmtree(self.folder, ignore_errors=True)
        return found


_given: list[int] = []


def _free_number() -> int:
    """One that neither a bridge nor an earlier daemon of this process has: that one may not have started yet."""
    taken = set(os.listdir("/sys/class/net"))
    first = os.getpid() % 200
    found = next(n for n in (first + i for i in range(55)) if f"smph{n}" not in taken and n not in _given[-40:])
    _given.append(found)
    return found
