"""`events`: what happens to a container, one JSON object a line, until it ends: statistics at intervals, and "oom".

With --stats the statistics once. An "oom" is one count of the cgroup's oom_kill; the kernel wakes us for it: version 1
by an eventfd (memory.oom_control), version 2 by poll(2) on memory.events.
"""

import os
import sys

from sampan.base import jsontext
from sampan.errors import Conflict, InvalidArgument
from sampan.runtime.command import signals
from sampan.runtime.command.options import Command, switch, text
from sampan.runtime.command.store import STOPPED, Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.cgroup.contract import Cgroup
    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

# On version 1 the alarm comes before the kill that it is about is counted.
LOOK_S, PATIENCE_S = 0.02, 5.0

COMMAND = Command(
    "events",
    "CONTAINER",
    "print what happens to a container, and its statistics",
    (
        switch("stats", "print the statistics once"),
        text("interval", "the time between statistics", "DURATION", "5s"),
    ),
)


def run(context: "Context", options: "Options") -> int:
    container = Container.load(context.root, options.arguments[0])
    interval_s = _seconds(options["interval"])
    if container.status() == STOPPED:
        raise Conflict(f"container with id {container.id} is not running")
    if options["stats"]:
        _print("stats", container.id, statistics(container))
        return 0
    pidfd = signals.open_init(container)
    if pidfd >= 0:
        _watch(container, pidfd, interval_s)
        os.close(pidfd)
    return 0


def _seconds(word: str) -> float:
    from sampan.base.clock import parse_duration

    duration_ns = parse_duration(word)
    if duration_ns is None:
        raise InvalidArgument(f'invalid value "{word}" for flag -interval: parse error')
    if duration_ns <= 0:
        raise InvalidArgument("duration interval must be greater than 0")
    return duration_ns / 1e9


def statistics(container: Container) -> "dict[str, Any]":
    """Those of the cgroup, and of the Intel RDT group when the container has one."""
    found = container.cgroup().statistics()
    config = (container.spec.get("linux") or {}).get("intelRdt")
    if config:
        from sampan.runtime import resctrl

        found["intel_rdt"] = resctrl.group_for(config, container.id).statistics()
    return found


def _print(kind: str, id: str, found: "dict[str, Any] | None" = None) -> None:
    event: dict[str, Any] = {"type": kind, "id": id}
    if found is not None:
        event["data"] = found
    sys.stdout.write(jsontext.dumps(event) + "\n")
    sys.stdout.flush()


def _watch(container: Container, pidfd: int, interval_s: float) -> None:
    import select
    import time

    cgroup = container.cgroup()
    alarm_fd = _oom_alarm(cgroup)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if alarm_fd >= 0:
        # An eventfd is readable; a cgroup file has news when it shows POLLPRI, and is readable always.
        poll.register(alarm_fd, select.POLLIN if cgroup.version == 1 else select.POLLPRI)
    kills, due = cgroup.oom_kills(), time.monotonic() + interval_s
    look_until_s = 0.0
    while True:
        wait_s = max(0.0, due - time.monotonic())
        if time.monotonic() < look_until_s:
            wait_s = min(wait_s, LOOK_S)
        ready = dict(poll.poll(wait_s * 1000))
        if alarm_fd in ready:
            _acknowledge(cgroup, alarm_fd)
            look_until_s = time.monotonic() + PATIENCE_S
        before, kills = kills, _report_kills(container.id, cgroup, kills)
        if kills > before:
            look_until_s = 0.0
        if pidfd in ready:
            return
        if time.monotonic() >= due:
            _print("stats", container.id, statistics(container))
            due += interval_s


def _report_kills(id: str, cgroup: "Cgroup", before: int) -> int:
    try:
        now = cgroup.oom_kills()
    except OSError:
        # The cgroup has been removed: the container ends.
        return before
    for _ in range(before, now):
        _print("oom", id)
    return max(before, now)


def _oom_alarm(cgroup: "Cgroup") -> int:
    folder = cgroup.folders.get("memory" if cgroup.version == 1 else "")
    try:
        if folder and cgroup.version == 1:
            return _eventfd(folder)
        return os.open(f"{folder}/memory.events", os.O_RDONLY | os.O_CLOEXEC) if folder else -1
    except FileNotFoundError:
        return -1


def _eventfd(folder: str) -> int:
    alarm_fd = os.eventfd(0, os.EFD_CLOEXEC)
    oom_fd = os.open(f"{folder}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
    control_fd = os.open(f"{folder}/cgroup.event_control", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(control_fd, f"{alarm_fd} {oom_fd}".encode())
    finally:
        os.close(control_fd)
        os.close(oom_fd)
    return alarm_fd


def _acknowledge(cgroup: "Cgroup", alarm_fd: int) -> None:
    if cgroup.version == 1:
        os.eventfd_read(alarm_fd)
        return
    os.lseek(alarm_fd, 0, os.SEEK_SET)
    try:
        os.read(alarm_fd, 4096)
    except OSError:
        return  # ENODEV: removed
