"""What the engine asks of the runtime: to launch a container, to attach a stream, to run a process more.

`LaunchRequest` is the OCI runtime config and what the specification leaves to the engine: where the shim keeps its
files, how the log is written, how the user's name is to be looked up in the root.
"""

from sampan.base import jsontext
from sampan.linux.mount import Mount
from sampan.runtime.filter import Filter
from sampan.runtime.namespaces import Namespaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket as socket
    from typing import Any


class LaunchRequest:
    """Everything that a shim needs to run one container once.

    id          of the container
    spec        the OCI runtime config (runtime-spec 1.2) as JSON values; root.path is ignored in favour of `rootfs`
    rootfs      the mounts that make the root, in order; targets are relative to it ("" is the root itself)
    user        "name|uid[:group|gid]", looked up in the root's /etc/passwd and /etc/group; "" is root
    groups      further groups by name or number
    create_cwd  make the working directory when the root lacks it
    filter      the compiled linux.seccomp of `spec`; None for no filter
    exec_dir    the shim's own directory, made by it and removed by it at the end
    exit_path   where the exit record goes, durably
    log         {"driver": "json-file"|"none", "path", "max_size": bytes or 0, "max_file": count}
    runtime     {"path", "args"}: the program that is to run the container in place of our own runtime, and its first
                arguments; None is our own
    """

    __slots__ = (
        "create_cwd",
        "exec_dir",
        "exit_path",
        "filter",
        "groups",
        "id",
        "log",
        "open_stdin",
        "rootfs",
        "runtime",
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
        filter: "Filter | None" = None,
        runtime: "dict[str, Any] | None" = None,
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
        self.filter = filter
        self.runtime = runtime

    def shim_part(self) -> "dict[str, Any]":
        """What the shim is told: `ShimOrders` as JSON values."""
        linux = self.spec["linux"]
        spaces = Namespaces(linux.get("namespaces"))
        found = {name: getattr(self, name) for name in ShimOrders.__slots__ if name in self.__slots__}
        return {
            **found,
            "cgroup_path": linux["cgroupsPath"],
            "stdio_owner": _root_of(linux) if spaces.in_user_namespace else None,
            "birth_flags": spaces.at_birth,
            "join_flags": spaces.joined,
        }

    def init_part(self, namespaces: "list[str] | None" = None) -> str:
        """What the first process is told: `InitOrders` as a JSON text, which the shim passes on unread.

        `namespaces`: the kinds of which it will be given descriptors.
        """
        found = {name: getattr(self, name) for name in InitOrders.__slots__ if name in self.__slots__}
        found["namespaces"] = namespaces or []
        found["rootfs"] = [mount.to_json() for mount in self.rootfs]
        found["filter"] = self.filter.to_json() if self.filter else None
        return jsontext.dumps(found)


def _root_of(linux: "dict[str, Any]") -> "list[int] | None":
    """(uid, gid) on the host of who is root in the container's user namespace."""
    maps = [linux.get(name) or [] for name in ("uidMappings", "gidMappings")]
    found = [one["hostID"] for mappings in maps for one in mappings if one["containerID"] == 0]
    return found if len(found) == len(maps) else None


class ShimOrders:
    """The part of a launch that is the shim's business; `birth_flags` are the CLONE_NEW* of its first process,
    `join_flags` those that further ones join. `stdio_owner`: (uid, gid) of the pipes to the container, if not root.
    """

    __slots__ = (
        "birth_flags",
        "cgroup_path",
        "exec_dir",
        "exit_path",
        "id",
        "join_flags",
        "log",
        "open_stdin",
        "runtime",
        "stdin_once",
        "stdio_owner",
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
        self.birth_flags: int = found["birth_flags"]
        self.join_flags: int = found["join_flags"]
        self.runtime: dict[str, Any] | None = found.get("runtime")
        self.stdio_owner: list[int] | None = found.get("stdio_owner")


class InitOrders:
    """The part of a launch that is the first process's business; what the engine never asks for has a default.

    user            None: the numbers of the config's process.user
    namespaces      kinds of those that were made ahead; their descriptors follow those of stdio, in this order
    exec_dir        "" without a shim: then nothing is made on the host but cgroups
    staging         the directory to mount the root on
    cgroup_manager  "cgroupfs": this process makes the cgroups; another one's have been made ("systemd", "disabled")
    no_pivot        MS_MOVE and chroot(2) instead of pivot_root(2), for a root on the initial RAM disk
    gate            a listening socket where "go" comes from, when the supervisor does not stay to say it
    """

    __slots__ = (
        "cgroup_manager",
        "create_cwd",
        "exec_dir",
        "exit_path",
        "filter",
        "gate",
        "groups",
        "id",
        "namespaces",
        "no_new_keyring",
        "no_pivot",
        "preserved_fds",
        "rootfs",
        "spec",
        "staging",
        "tty",
        "user",
    )

    def __init__(self, found: "dict[str, Any]") -> None:
        self.id: str = found["id"]
        self.spec: dict[str, Any] = found["spec"]
        self.rootfs = [Mount(m["type"], m["source"], m["destination"], m["options"]) for m in found["rootfs"]]
        self.user: str | None = found["user"]
        self.groups: list[str] = found["groups"]
        self.create_cwd: bool = found["create_cwd"]
        self.tty: bool = found["tty"]
        self.exec_dir: str = found["exec_dir"]
        self.exit_path: str = found["exit_path"]
        self.filter = Filter.from_json(found["filter"])
        self.namespaces: list[str] = found.get("namespaces") or []
        self.staging = self.exec_dir
        self.cgroup_manager = "cgroupfs"
        self.no_pivot = False
        self.no_new_keyring = False
        self.preserved_fds: list[int] = []
        self.gate: socket.socket | None = None

    @property
    def stops_for_hooks(self) -> bool:
        """Whether somebody has something to do between the mounts and the entry into the root."""
        hooks = self.spec.get("hooks") or ()
        return bool((self.spec.get("linux") or {}).get("netDevices")) or any(
            kind in hooks for kind in ("prestart", "createRuntime", "createContainer")
        )


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
