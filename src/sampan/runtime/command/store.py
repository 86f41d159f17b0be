"""The containers of the command, one state directory each, and what can be told of them at any moment.

Layout      <root>/<id>/                0711
                config.json     the configuration as it was when the container was made; the bundle may change later
                status      what this module writes: pid, cgroup, times
                exec.fifo       there from `create` until `start`
                lock            held by the one command that changes the container
Invariants  1. A directory with a status is a container; mkdir(2) decides between two that want one id.
            2. A process is known by pid and start time (field 22 of /proc/<pid>/stat): another one that gets the pid
               later is never taken for ours.
            3. The lock is one of fcntl(2), which a fork does not inherit: the container's first process cannot keep it.
               Closing any descriptor of `lock` in this process gives it up: nobody else opens it.
Errors      InvalidArgument (the id), AlreadyExists, NotFound ("container does not exist"); OSError of the file system.
Spec        runtime-spec, runtime.md, "State".
"""

import os
import time

from sampan.base import atomicfile, jsontext
from sampan.errors import AlreadyExists, InvalidArgument, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Self

    from sampan.runtime.cgroup.contract import Cgroup

CREATING, CREATED, RUNNING, PAUSED, STOPPED = "creating", "created", "running", "paused", "stopped"

_ID_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-.")
_ID_LIMIT = 1024
# What status holds, with the value of a new container.
_FIELDS: "dict[str, Any]" = {
    "pid": 0,
    "start_ticks": 0,
    "maker_pid": 0,
    "maker_ticks": 0,
    "created": "",
    "bundle": "",
    "rootfs": "",
    "owner": 0,
    "annotations": None,
    "oci_version": "",
    "cgroup_path": "",
    "cgroup_manager": "cgroupfs",
    "external_descriptors": "",
    "notes": None,
}


class Container:
    """One container; its attributes are written by `save` alone.

    `pid`, `start_ticks`    the first process; 0 until `set_process`
    `maker_pid`             the command that makes it: while that runs and there is no pid, the status is "creating"
    `created`               RFC 3339 with nanoseconds
    `owner`                 the uid that made it
    `cgroup_path`           what `cgroup().path` was when the process had entered; "" is the id's default path
    `external_descriptors`  what the standard streams led to when the container was made: a JSON list of paths, as text
                            (crun's name for it, under which others look it up)
    `notes`                 whatever else a verb wants to find again: names to JSON values
    """

    __slots__ = ("_cgroup", "_spec", "directory", "id", "root", *_FIELDS)

    if TYPE_CHECKING:
        pid: int
        start_ticks: int
        maker_pid: int
        maker_ticks: int
        created: str
        bundle: str
        rootfs: str
        owner: int
        annotations: dict[str, str]
        oci_version: str
        cgroup_path: str
        cgroup_manager: str
        external_descriptors: str
        notes: dict[str, Any]

    def __init__(self, root: str, id: str) -> None:
        check_id(id)
        self.root = root
        self.id = id
        self.directory = f"{root}/{id}"
        self._spec: dict[str, Any] | None = None
        self._cgroup: Cgroup | None = None
        self._take({})

    @classmethod
    def make(cls, root: str, id: str, *, bundle: str, spec: "dict[str, Any]") -> "Self":
        """A new container in the state "creating", on disk already; AlreadyExists when the id is taken."""
        made = cls(root, id)
        made.bundle = os.path.abspath(bundle)
        made.rootfs = os.path.join(made.bundle, (spec.get("root") or {}).get("path", ""))
        made.created = _now()
        made.owner = os.geteuid()
        made.annotations = spec.get("annotations") or {}
        made.oci_version = spec.get("ociVersion", "")
        made.external_descriptors = jsontext.dumps(_standard_streams())
        made.maker_pid = os.getpid()
        made.maker_ticks = start_ticks(made.maker_pid)
        made._spec = spec
        os.makedirs(root, 0o711, exist_ok=True)
        try:
            os.mkdir(made.directory, 0o711)
        except FileExistsError:
            raise AlreadyExists(f"container with given ID already exists: {id}") from None
        _write(f"{made.directory}/config.json", spec)
        made.save()
        return made

    @classmethod
    def load(cls, root: str, id: str) -> "Self":
        """The container of that id; NotFound when there is none."""
        found = cls(root, id)
        found.reload()
        return found

    def reload(self) -> None:
        """Read status again; NotFound when the container is gone."""
        try:
            with open(f"{self.directory}/status", "rb") as file:
                self._take(jsontext.loads(file.read()))
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"container does not exist: {self.id}") from None

    def _take(self, stored: "dict[str, Any]") -> None:
        for name, default in _FIELDS.items():
            setattr(self, name, stored.get(name, default))
        self.annotations = self.annotations or {}
        self.notes = self.notes or {}
        self._cgroup = None

    def save(self) -> None:
        """Replace status in one step. /run is gone after a crash of the machine: nothing to sync."""
        _write(f"{self.directory}/status", {name: getattr(self, name) for name in _FIELDS})

    def set_process(self, pid: int) -> None:
        """Take `pid` for the first process; NotFound when it has been reaped already. `save` is the caller's."""
        self.start_ticks = start_ticks(pid)
        if not self.start_ticks:
            raise NotFound(f"process {pid} of container {self.id} is gone")
        self.pid = pid

    @property
    def spec(self) -> "dict[str, Any]":
        """The configuration as of `make`."""
        if self._spec is None:
            with open(f"{self.directory}/config.json", "rb") as file:
                self._spec = jsontext.loads(file.read())
        return self._spec

    def save_spec(self) -> None:
        """Keep changes of `spec`: what `update` set."""
        _write(f"{self.directory}/config.json", self.spec)

    @property
    def exec_fifo(self) -> str:
        return f"{self.directory}/exec.fifo"

    def cgroup(self) -> "Cgroup":
        """The container's cgroup, whether or not it exists."""
        if self._cgroup is None:
            from sampan.runtime.cgroup.detect import cgroup_for

            manager = self.cgroup_manager
            self._cgroup = cgroup_for(self.cgroup_path, manager=manager, name=self.id, annotations=self.annotations)
        return self._cgroup

    def is_alive(self) -> bool:
        """Whether the first process runs (a zombie does not)."""
        return bool(self.pid) and self.start_ticks == start_ticks(self.pid, alive=True)

    def status(self) -> str:
        """creating, created, running, paused or stopped."""
        if not self.pid:
            is_making = bool(self.maker_pid) and self.maker_ticks == start_ticks(self.maker_pid, alive=True)
            return CREATING if is_making else STOPPED
        if not self.is_alive():
            return STOPPED
        if self._is_frozen():
            return PAUSED
        return CREATED if os.path.exists(self.exec_fifo) else RUNNING

    def _is_frozen(self) -> bool:
        if self.cgroup_manager == "disabled":
            return False
        try:
            return self.cgroup().is_frozen()
        except OSError:
            # No freezer for this user, or the process left in this very moment.
            return False

    def state(self, status: str = "") -> "dict[str, Any]":
        """The state as the specification has it, for hooks and for others; `status` saves finding it out."""
        status = status or self.status()
        found: dict[str, Any] = {"ociVersion": self.oci_version, "id": self.id, "status": status}
        found["pid"] = 0 if status in (STOPPED, CREATING) else self.pid
        found["bundle"] = self.bundle
        if self.annotations:
            found["annotations"] = self.annotations
        return found

    def locked(self) -> "Lock":
        """`with container.locked():` no other command changes it meanwhile, and its attributes are fresh."""
        return Lock(self)

    def remove(self) -> None:
        """Remove the state directory. status goes first: from then on the container does not exist."""
        for name in ("status", *_entries(self.directory)):
            path = f"{self.directory}/{name}"
            try:
                os.unlink(path)
            except FileNotFoundError:
                continue
            except IsADirectoryError:
                _remove_tree(path)
        try:
            os.rmdir(self.directory)
        except FileNotFoundError:
            return


class Lock:
    """A context manager: waits for the lock, then reloads; NotFound when the container went away meanwhile."""

    __slots__ = ("_container", "_fd")

    def __init__(self, container: Container) -> None:
        self._container = container
        self._fd = -1

    def __enter__(self) -> Container:
        import fcntl

        try:
            self._fd = os.open(f"{self._container.directory}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            raise NotFound(f"container does not exist: {self._container.id}") from None
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX)
            self._container.reload()
        except BaseException:
            os.close(self._fd)
            raise
        return self._container

    def __exit__(
        self, kind: "type[BaseException] | None", error: "BaseException | None", trace: "TracebackType | None"
    ) -> None:
        os.close(self._fd)


def _standard_streams() -> "list[str]":
    found = []
    for fd in range(3):
        try:
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            found.append("")  # closed, or no /proc
    return found


def check_id(id: str) -> None:
    """InvalidArgument unless `id` can be the name of a directory and of a cgroup."""
    if not id:
        raise InvalidArgument("container id cannot be empty")
    if id in (".", "..") or len(id) > _ID_LIMIT or not all(character in _ID_CHARACTERS for character in id):
        raise InvalidArgument(f"invalid container ID format: {id}")


def list_all(root: str) -> "list[Container]":
    """Every container below `root`, by id; one that goes away meanwhile is left out."""
    found = []
    for name in sorted(_entries(root)):
        try:
            found.append(Container.load(root, name))
        except (NotFound, InvalidArgument):
            continue
    return found


def start_ticks(pid: int, *, alive: bool = False) -> int:
    """When a process began, in clock ticks since the start of the machine; 0: there is none (or, `alive`, a zombie)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The second field is the command's name in brackets, and may hold anything.
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if alive and fields[0] in (b"Z", b"X") else int(fields[19])


def _write(path: str, value: object) -> None:
    atomicfile.write_atomic(path, jsontext.dumps(value).encode("utf-8", "surrogateescape"), durable=False)


def _entries(path: str) -> "list[str]":
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove_tree(path: str) -> None:
    import shutil

    shutil.rmtree(path, ignore_errors=True)


def _now() -> str:
    seconds, fraction_ns = divmod(time.time_ns(), 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{fraction_ns:09d}Z"
