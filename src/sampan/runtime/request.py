"""What the engine asks of the runtime: to launch a container, to attach a stream, to run a process more.

`LaunchRequest` is the OCI runtime config and what the specification leaves to the engine: where the shim keeps its
files, how the log is written, how the user's name is to be looked up in the root.
"""

from sampan.base import jsontext
from sampan.linux.mount import Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class LaunchRequest:
    """Everything that a shim needs to run one container once.

    id          of the container
    spec        the OCI runtime config (runtime-spec 1.2) as JSON values; root.path is ignored in favour of `rootfs`
    rootfs      the mounts that make the root, in order; targets are relative to it ("" is the root itself)
    user        "name|uid[:group|gid]", looked up in the root's /etc/passwd and /etc/group; "" is root
    groups      further groups by name or number
    create_cwd  make the working directory when the root lacks it
    exec_dir    the shim's own directory, made by it and removed by it at the end
    exit_path   where the exit record goes, durably
    log         {"driver": "json-file"|"none", "path", "max_size": bytes or 0, "max_file": count}
    """

    __slots__ = (
        "create_cwd",
        "exec_dir",
        "exit_path",
        "groups",
        "id",
        "log",
        "open_stdin",
        "rootfs",
        "spec",
        "stdin_once",
        "tty",
        "user",
    )

    def __init__(
        self,
        *,
        id: str,
        spec: "dict[str, Any]",
        rootfs: "list[Mount]",
        user: str = "",
        groups: "list[str] | None" = None,
        create_cwd: bool = True,
        tty: bool = False,
        open_stdin: bool = False,
        stdin_once: bool = False,
        exec_dir: str,
        exit_path: str,
        log: "dict[str, Any]",
    ) -> None:
        self.id = id
        self.spec = spec
        self.rootfs = rootfs
        self.user = user
        self.groups = groups or []
        self.create_cwd = create_cwd
        self.tty = tty
        self.open_stdin = open_stdin
        self.stdin_once = stdin_once
        self.exec_dir = exec_dir
        self.exit_path = exit_path
        self.log = log

    def shim_part(self) -> "dict[str, Any]":
        """What the shim is told: `ShimOrders` as JSON values."""
        linux = self.spec["linux"]
        new = [ns["type"] for ns in linux.get("namespaces") or [] if not ns.get("path")]
        found = {name: getattr(self, name) for name in ShimOrders.__slots__ if name in self.__slots__}
        return {**found, "cgroup_path": linux["cgroupsPath"], "new_namespaces": new}

    def init_part(self) -> str:
        """What the first process is told: `InitOrders` as a JSON text, which the shim passes on unread."""
        found = {name: getattr(self, name) for name in InitOrders.__slots__}
        found["rootfs"] = [mount.to_json() for mount in self.rootfs]
        return jsontext.dumps(found)


class ShimOrders:
    """The part of a launch that is the shim's business; `new_namespaces` are types of the OCI config."""

    __slots__ = (
        "cgroup_path",
        "exec_dir",
        "exit_path",
        "id",
        "log",
        "new_namespaces",
        "open_stdin",
        "stdin_once",
        "tty",
    )

    def __init__(self, found: "dict[str, Any]") -> None:
        self.id: str = found["id"]
        self.tty: bool = found["tty"]
        self.open_stdin: bool = found["open_stdin"]
        self.stdin_once: bool = found["stdin_once"]
        self.exec_dir: str = found["exec_dir"]
        self.exit_path: str = found["exit_path"]
        self.log: dict[str, Any] = found["log"]
        self.cgroup_path: str = found["cgroup_path"]
        self.new_namespaces: list[str] = found["new_namespaces"]


class InitOrders:
    """The part of a launch that is the first process's business."""

    __slots__ = ("create_cwd", "exec_dir", "exit_path", "groups", "id", "rootfs", "spec", "tty", "user")

    def __init__(self, found: "dict[str, Any]") -> None:
        self.id: str = found["id"]
        self.spec: dict[str, Any] = found["spec"]
        self.rootfs = [Mount(m["type"], m["source"], m["destination"], m["options"]) for m in found["rootfs"]]
        self.user: str = found["user"]
        self.groups: list[str] = found["groups"]
        self.create_cwd: bool = found["create_cwd"]
        self.tty: bool = found["tty"]
        self.exec_dir: str = found["exec_dir"]
        self.exit_path: str = found["exit_path"]


class AttachStream:
    """A client's connection to a process's stdio: an owned socket and what it carries.

    framed       output goes out in Docker's 8-byte frames (a process without a terminal); otherwise raw
    detach_keys  the bytes that end the attachment when the client types them; b"" for none
    initial      bytes that the client had already sent
    """

    __slots__ = ("detach_keys", "fd", "framed", "initial", "stderr", "stdin", "stdout")

    def __init__(
        self,
        fd: int,
        *,
        stdin: bool,
        stdout: bool,
        stderr: bool,
        framed: bool,
        detach_keys: bytes = b"",
        initial: bytes = b"",
    ) -> None:
        self.fd = fd
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.framed = framed
        self.detach_keys = detach_keys
        self.initial = initial

    def to_json(self) -> "dict[str, Any]":
        """Everything but the descriptor, which travels beside the message."""
        return {
            "stdin": self.stdin,
            "stdout": self.stdout,
            "stderr": self.stderr,
            "framed": self.framed,
            "detach_keys": self.detach_keys.decode("latin-1"),
            "initial": self.initial.decode("latin-1"),
        }

    @classmethod
    def from_json(cls, fd: int, found: "dict[str, Any]") -> "AttachStream":
        keys = {name: found[name].encode("latin-1") for name in ("detach_keys", "initial")}
        return cls(fd, **{**found, **keys})


class ExitRecord:
    """How a container's first process ended; times in nanoseconds since the epoch (0: never started)."""

    __slots__ = ("error", "exit_code", "finished_at_ns", "oom_killed", "started_at_ns")

    def __init__(
        self, *, exit_code: int, oom_killed: bool, started_at_ns: int, finished_at_ns: int, error: str = ""
    ) -> None:
        self.exit_code = exit_code
        self.oom_killed = oom_killed
        self.started_at_ns = started_at_ns
        self.finished_at_ns = finished_at_ns
        self.error = error

    def to_json(self) -> "dict[str, Any]":
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, found: "dict[str, Any]") -> "ExitRecord":
        return cls(**found)
