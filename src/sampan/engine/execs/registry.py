"""The execs that exist, in memory: an exec dies with its container's process, so none outlives the shim.

Invariant  An exec is forgotten with its container, or five minutes after it ended.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sampan.api.wire.exec import ExecConfig
from sampan.base.clock import NS_PER_S
from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.registry import Container
from sampan.errors import NotFound

KEPT_NS = 300 * NS_PER_S


class Exec:
    """One exec; `exit_code` is None until it ended or failed to start."""

    __slots__ = ("config", "container", "exit_code", "finished_at_ns", "has_started", "id", "pid")

    def __init__(self, id: str, container: Container, config: ExecConfig) -> None:
        self.id = id
        self.container = container
        self.config = config
        self.has_started = False
        self.pid = 0
        self.exit_code: int | None = None
        self.finished_at_ns = 0

    @property
    def is_running(self) -> bool:
        return self.has_started and self.exit_code is None

    @property
    def command(self) -> tuple[str, list[str]]:
        words = self.config.cmd or [""]
        return words[0], words[1:]

    def ended(self, exit_code: int, now_ns: int) -> None:
        self.exit_code = exit_code
        self.finished_at_ns = now_ns
        if self.id in self.container.exec_ids:
            self.container.exec_ids.remove(self.id)


class ExecRegistry:
    """All execs, by id."""

    def __init__(self) -> None:
        self._by_id: dict[str, Exec] = {}

    def __iter__(self) -> Iterator[Exec]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, exec: Exec, now_ns: int) -> None:
        """Remember an exec; forgets those that ended long ago or whose container is gone."""
        for old in self:
            is_stale = old.exit_code is not None and old.finished_at_ns < now_ns - KEPT_NS
            if is_stale or old.container.is_gone:
                del self._by_id[old.id]
        self._by_id[exec.id] = exec

    def get(self, id: str) -> Exec:
        found = self._by_id.get(id)
        if found is None or found.container.is_gone:
            raise NotFound(f"No such exec instance: {id}")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Execs:
    """The collaborators of every verb on execs."""

    containers: Containers
    registry: ExecRegistry
