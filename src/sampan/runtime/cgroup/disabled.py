"""No control group at all: the container stays in its creator's, without limits (manager "disabled")."""

from sampan.runtime.cgroup import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.cgroup.contract import Entrance


class NoCgroup:
    """The contract with nothing behind it."""

    version = 0
    path = ""
    unit = ""
    must_adopt = False
    __slots__ = ()

    @property
    def folders(self) -> "dict[str, str]":
        """None."""
        return {}

    def create(self) -> None:
        """Nothing is made."""

    def delegate(self, uid: int, gid: int) -> None:
        """Nobody gets anything."""

    def adopt(self, pid: int) -> None:
        """The process stays where it is."""

    def entry_fds(self, beside: int = 0) -> "list[int]":
        """None."""
        return []

    def clone_fd(self, beside: int = 0) -> int:
        """0."""
        return 0

    def below(self, where: "dict[str, str]") -> "Entrance":
        """CgroupError: there is nothing to be inside of."""
        raise files.CgroupError("cannot enter a sub-cgroup: control groups are disabled for this container")

    def apply(self, resources: "dict[str, Any]") -> None:
        """Limits were given up with the control group."""

    def update(self, resources: "dict[str, Any]") -> None:
        """CgroupError: there is nothing to change."""
        raise files.CgroupError("cannot update limits: control groups are disabled for this container")

    def oom_kills(self) -> int:
        """0: nobody counts."""
        return 0

    def pids(self) -> "set[int]":
        """None are known."""
        return set()

    def freeze(self, *, frozen: bool) -> None:
        """CgroupError: the freezer is a part of control groups."""
        raise files.CgroupError("cannot pause or resume: control groups are disabled for this container")

    def is_frozen(self) -> bool:
        """Never."""
        return False

    def kill(self, signal: int = 9, *, patience_s: float = 5.0) -> bool:
        """Nobody is in it."""
        return True

    def statistics(self) -> "dict[str, Any]":
        """Zeros."""
        from sampan.runtime.cgroup import statistics

        return statistics.empty()

    def remove(self, *, patience_s: float = 0.0) -> None:
        """Nothing is there."""
