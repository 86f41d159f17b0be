"""A control group that systemd makes: a transient scope, delegated to us (systemd.io/CONTROL_GROUP_INTERFACE).

systemd starts a scope only with a process to put in, so nothing is there before `adopt`. What systemd has no property
for, and on version 1 the hierarchies that it leaves alone, are done in the cgroup's files by `inner`.

Instances   root's containers are units of the machine's systemd; a user's, of the user's own, whose cgroup they are in.
Order       systemd first, the files after it: it writes its idea of all limits whenever one of them changes.
"""

import os

from sampan.runtime.cgroup import files, v2limits
from sampan.runtime.cgroup.systemd import names, properties

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sampan.runtime.cgroup.contract import Cgroup, Entrance
    from sampan.runtime.cgroup.systemd.bus import Manager


def cgroup_for(text: str, annotations: "dict[str, str]", *, at: "Callable[[str], Cgroup]") -> "SystemdCgroup":
    """The cgroup of a cgroupsPath for systemd, or of the path that came of one before. `at`: `detect.at`."""
    is_user = files.is_rootless()
    manager_path = ""
    if is_user and not text.startswith("/"):
        with _manager(is_user=True) as manager:
            manager_path = manager.property("ControlGroup")
    target = names.parse_target(text, is_user=is_user, manager_path=manager_path)
    return SystemdCgroup(target, at(target.path), annotations, is_user=is_user)


def _manager(*, is_user: bool) -> "Manager":
    # jeepney costs as much as a small interpreter's start: not before systemd is talked to.
    from sampan.runtime.cgroup.systemd.bus import Manager

    return Manager(is_user=is_user)


class SystemdCgroup:
    """A unit, and the directories that systemd makes for it."""

    must_adopt = True
    __slots__ = ("_annotations", "_is_user", "_pending", "_target", "inner")

    def __init__(self, target: names.Target, inner: "Cgroup", annotations: "dict[str, str]", *, is_user: bool) -> None:
        self._target = target
        self._annotations = annotations
        self._is_user = is_user
        self._pending: dict[str, Any] = {}
        self.inner = inner

    @property
    def version(self) -> int:
        """Of the control groups below."""
        return self.inner.version

    @property
    def path(self) -> str:
        """Where systemd puts it."""
        return self.inner.path

    @property
    def folders(self) -> "dict[str, str]":
        """As without systemd."""
        return self.inner.folders

    @property
    def unit(self) -> str:
        """The scope's name."""
        return self._target.unit

    def create(self) -> None:
        """Nothing: systemd makes it for a process."""

    def _is_started(self) -> bool:
        return any(os.path.isdir(folder) for name, folder in self.folders.items() if name in ("", "name=systemd"))

    def adopt(self, pid: int) -> None:
        """Start the scope with the process in it, and set its limits; when it is started, move one more in."""
        with _manager(is_user=self._is_user) as manager:
            if self._is_started():
                manager.attach_process(self.unit, pid)
            else:
                self._start(manager, pid)
        self._enter_rest(pid)
        pending, self._pending = self._pending, {}
        if pending:
            self.inner.apply(properties.rounded(pending))

    def _start(self, manager: "Manager", pid: int) -> None:
        description = f"sampan container {self.unit.removesuffix('.scope')}"
        found = properties.of_unit(description, self._target.slice_name, pid, version=self.version)
        found += properties.of_annotations(self._annotations)
        found += self._of_resources(manager, self._pending)
        manager.start_unit(self.unit, found)

    def _of_resources(self, manager: "Manager", resources: "dict[str, Any]") -> "list[properties.Property]":
        systemd = manager.version() if "idle" in str(resources) else 0
        return properties.of_resources(resources, version=self.version, systemd=systemd)

    def _enter_rest(self, pid: int) -> None:
        # systemd has enabled the controllers that it knows, and put the process into those hierarchies.
        self.inner.create()
        if self.version == 1:
            for folder in dict.fromkeys(self.folders.values()):
                if folder != self.folders.get("name=systemd"):
                    files.write(folder, "cgroup.procs", pid)

    def delegate(self, uid: int, gid: int) -> None:
        """Give it to the container's root user."""
        self.inner.delegate(uid, gid)

    def entry_fds(self, beside: int = 0) -> "list[int]":
        """As without systemd, once the scope is started."""
        return self.inner.entry_fds(beside)

    def clone_fd(self, beside: int = 0) -> int:
        """As without systemd, once the scope is started; 0 before."""
        return self.inner.clone_fd(beside) if self._is_started() else 0

    def below(self, where: "dict[str, str]") -> "Entrance":
        """As without systemd."""
        return self.inner.below(where)

    def apply(self, resources: "dict[str, Any]") -> None:
        """Keep the limits for `adopt`; when the scope is started, as `update`."""
        if self._is_started():
            self.update(resources)
        else:
            self._pending = resources

    def update(self, resources: "dict[str, Any]") -> None:
        """Tell systemd, then the kernel."""
        if self.version == 2:
            v2limits.check(self.folders[""], resources)
        resources = self._completed(resources)
        with _manager(is_user=self._is_user) as manager:
            found = self._of_resources(manager, resources)
            # Version 1: systemd denies all devices before it allows some. Nobody may notice.
            freezes = bool(self.version == 1 and resources.get("devices") and not self.is_frozen())
            if freezes:
                self.freeze(frozen=True)
            try:
                if found:
                    manager.set_properties(self.unit, found)
            finally:
                if freezes:
                    self.freeze(frozen=False)
        self.inner.update(properties.rounded(resources))

    def _completed(self, resources: "dict[str, Any]") -> "dict[str, Any]":
        """With what a property needs to be said with another and is as before: quota and period, memory and swap."""
        cpu, memory = dict(resources.get("cpu") or {}), dict(resources.get("memory") or {})
        if bool(cpu.get("quota")) != bool(cpu.get("period")):
            quota, period = self._quota_and_period()
            cpu["quota"] = cpu.get("quota") or quota
            cpu["period"] = cpu.get("period") or period
        if self.version == 2 and memory.get("swap") is not None and not memory.get("limit"):
            limit = files.read(self.folders[""], "memory.max")
            memory["limit"] = -1 if limit == "max" else int(limit)
        return {**resources, "cpu": cpu, "memory": memory}

    def _quota_and_period(self) -> "tuple[int, int]":
        if self.version == 2:
            quota, _, period = files.read(self.folders[""], "cpu.max").partition(" ")
        else:
            quota, period = (files.read(self.folders["cpu"], f"cpu.cfs_{name}_us") for name in ("quota", "period"))
        return -1 if quota == "max" else int(quota), int(period)

    def oom_kills(self) -> int:
        """How many processes the kernel killed for want of memory."""
        return self.inner.oom_kills()

    def pids(self) -> "set[int]":
        """The processes in it and below it."""
        return self.inner.pids()

    def freeze(self, *, frozen: bool) -> None:
        """Stop all processes, or let them go on."""
        self.inner.freeze(frozen=frozen)

    def is_frozen(self) -> bool:
        """Whether it is frozen by itself."""
        return self.inner.is_frozen()

    def kill(self, signal: int = 9, *, patience_s: float = 5.0) -> bool:
        """Signal every process."""
        return self.inner.kill(signal, patience_s=patience_s)

    def statistics(self) -> "dict[str, Any]":
        """What `runc events --stats` prints."""
        return self.inner.statistics()

    def remove(self, *, patience_s: float = 0.0) -> None:
        """Stop the unit, and remove what systemd left: the hierarchies that it does not know."""
        with _manager(is_user=self._is_user) as manager:
            manager.stop_unit(self.unit)
        self.inner.remove(patience_s=patience_s)
