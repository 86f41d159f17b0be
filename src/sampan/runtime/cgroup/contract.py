"""What a container's control group can do, whichever version and driver there is.

Made by `detect.cgroup_for`. Implementations: `v1.CgroupV1`, `v2.CgroupV2`, `systemd.driver.SystemdCgroup` (around one
of these two) and `disabled.NoCgroup`.

Life        create() ─▶ apply(resources) ─▶ the first process enters ─▶ update(), freeze(), kill()... ─▶ remove()

Entering    A process enters in one of three ways:
            entry_fds()   it writes "0" to each itself. Opened before it loses sight of the hierarchies. Any version.
            clone_fd()    it is born inside (clone3(2), CLONE_INTO_CGROUP). Version 2; 0 where that cannot be.
            adopt(pid)    another process moves it in. Slower on version 1 (a grace period of the kernel's), but the
                          only way when `must_adopt` is true: systemd makes a cgroup for a process that it is given.

systemd     Nothing exists before adopt(): create() does nothing, apply() keeps what it is given, adopt() starts the
            scope with both. The order of calls is the same for everybody.

Invariants  1. `path` and the manager's name make the same cgroup again in another process (`cgroup_for`), at any time
               after the first process has entered: they are what a state file keeps.
            2. What is absent from `resources` stays as it is; a limit that cannot be set is a CgroupError.
            3. remove(), kill() and freeze(frozen=False) of what is gone do nothing.
Units       As runtime-spec: bytes, microseconds; statistics() as `runc events --stats`: bytes, nanoseconds.
Errors      files.CgroupError; OSError of the file system.
Spec        runtime-spec 1.2, config-linux.md "Control groups"; Documentation/admin-guide/cgroup-v1, cgroup-v2.rst.

Nothing imports this module when it runs, type checkers apart: `typing` is dear to a short-lived command.
"""

from typing import Any, Protocol


class Entrance(Protocol):
    """What a process can enter by itself, or be born in."""

    def entry_fds(self, beside: int = 0) -> "list[int]":
        """Descriptors to write "0" to. `beside`: where in a divided cgroup that process is (version 2)."""

    def clone_fd(self, beside: int = 0) -> int:
        """A descriptor to be born in, or 0."""


class Cgroup(Entrance, Protocol):
    """One container's control group."""

    @property
    def version(self) -> int:
        """1 or 2; 0 without any."""

    @property
    def path(self) -> str:
        """Where it is in each hierarchy, absolute: "/sampan/<id>"; "" without any."""

    @property
    def folders(self) -> "dict[str, str]":
        """Its directory by controller; by "" on version 2."""

    @property
    def unit(self) -> str:
        """The name of its systemd unit, or ""."""

    @property
    def must_adopt(self) -> bool:
        """Whether the first process enters by adopt() only."""

    def create(self) -> object:
        """Make the directories, with all their controllers; no harm when they are there."""

    def delegate(self, uid: int, gid: int) -> None:
        """Give it to the root user of the container's user namespace (version 2; nothing on version 1)."""

    def adopt(self, pid: int) -> None:
        """Move a process in."""

    def below(self, where: "dict[str, str]") -> Entrance:
        """Cgroups inside this one to enter, by controller, "" for all (`detect.parse_below`)."""

    def apply(self, resources: "dict[str, Any]") -> None:
        """Set the limits of a new container (`linux.resources`)."""

    def update(self, resources: "dict[str, Any]") -> None:
        """Change limits of a running one; device rules, when there are any, replace those before in one step."""

    def oom_kills(self) -> int:
        """How many processes the kernel killed for want of memory."""

    def pids(self) -> "set[int]":
        """The processes in it and below it, as the caller's PID namespace numbers them."""

    def freeze(self, *, frozen: bool) -> None:
        """Stop all processes, or let them go on; returns when they are stopped. CgroupError: not in time, so thawed."""

    def is_frozen(self) -> bool:
        """Whether it is frozen by itself, not by a cgroup above."""

    def kill(self, signal: int = 9, *, patience_s: float = 5.0) -> bool:
        """Signal every process. With SIGKILL also the frozen ones, until none is left: whether that was reached."""

    def statistics(self) -> "dict[str, Any]":
        """What `runc events --stats` prints as "data"."""

    def remove(self, *, patience_s: float = 0.0) -> None:
        """Remove it with what the container made below. OSError EBUSY: a process is inside still after `patience_s`."""
