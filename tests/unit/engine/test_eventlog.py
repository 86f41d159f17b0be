"""Events reach those who asked for them, in Docker's form, once and in order."""

import asyncio
import json
from typing import Any

import pytest

from sampan.api.wire.event import Event
from sampan.api.wire.gojson import encode
from sampan.base.clock import Clock
from sampan.engine.eventlog import HISTORY, EventFilter, EventLog, EventStream
from sampan.errors import Unavailable

SECOND_NS = 1_000_000_000


class SteppingClock(Clock):
    """Each look is a second later."""

    def __init__(self) -> None:
        self.now = 1_700_000_000

    def now_ns(self) -> int:
        self.now += 1
        return self.now * SECOND_NS


def log_with(*events: tuple[str, str, str, dict[str, str]]) -> EventLog:
    log = EventLog(SteppingClock())
    for event in events:
        log.publish(*event)
    return log


async def taken(stream: EventStream, count: int) -> list[Event]:
    found: list[Event] = []
    async with asyncio.timeout(30):
        async for event in stream:
            found.append(event)
            if len(found) == count:
                break
    return found


def past(log: EventLog, **filters: list[str]) -> list[str]:
    async def collect() -> list[str]:
        stream = log.events(since_ns=1, until_ns=1_700_000_000 * SECOND_NS + 10_000 * SECOND_NS, filters=filters)
        stream.close()
        return [event.action for event in stream._past if stream._chosen.matches(event)]

    return asyncio.run(collect())


def test_a_container_event_is_dockers_to_the_letter() -> None:
    log = log_with(("container", "create", "05f2", {"a": "b", "image": "busybox:1", "name": "box"}))
    event = log._history[0]
    assert json.loads(encode(event)) == {
        "status": "create",
        "id": "05f2",
        "from": "busybox:1",
        "Type": "container",
        "Action": "create",
        "Actor": {"ID": "05f2", "Attributes": {"a": "b", "image": "busybox:1", "name": "box"}},
        "scope": "local",
        "time": 1_700_000_001,
        "timeNano": 1_700_000_001 * SECOND_NS,
    }


def test_other_events_have_no_legacy_fields() -> None:
    log = log_with(("network", "connect", "87ef", {"name": "bridge"}))
    assert not {"status", "id", "from"} & json.loads(encode(log._history[0])).keys()


CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["create", "exec_create: sh -c x", "connect", "tag"]),
    ({"type": ["image", "network"]}, ["connect", "tag"]),
    ({"event": ["create"]}, ["create"]),
    ({"event": ["exec_create"]}, ["exec_create: sh -c x"]),
    ({"event": ["exec"]}, ["exec_create: sh -c x"]),
    ({"container": ["05f"]}, ["create", "exec_create: sh -c x"]),
    ({"container": ["box"]}, ["create", "exec_create: sh -c x"]),
    ({"container": ["other"]}, []),
    ({"network": ["bridge"]}, ["connect"]),
    ({"label": ["a=b"]}, ["create"]),
    ({"label": ["a", "image"]}, ["create"]),
    ({"label": ["a=c"]}, []),
    ({"image": ["busybox"]}, ["create", "tag"]),
    ({"image": ["busybox:1"]}, ["create", "tag"]),
    ({"image": ["sha256:1"]}, ["tag"]),
    ({"scope": ["swarm"]}, []),
    ({"container": ["box"], "event": ["tag"]}, []),
    ({"unheard-of": ["x"]}, ["create", "exec_create: sh -c x", "connect", "tag"]),
]


@pytest.mark.parametrize(("filters", "expected"), CASES)
def test_filters_choose(filters: dict[str, list[str]], expected: list[str]) -> None:
    log = log_with(
        ("container", "create", "05f2", {"a": "b", "image": "busybox:1", "name": "box"}),
        ("container", "exec_create: sh -c x", "05f2", {"name": "box"}),
        ("network", "connect", "87ef", {"name": "bridge"}),
        ("image", "tag", "sha256:1", {"name": "busybox:1"}),
    )
    assert past(log, **filters) == expected


def test_history_has_bounds_in_time_and_in_number() -> None:
    log = log_with(*(("volume", f"n{n}", "v", {}) for n in range(HISTORY + 10)))
    base_ns = 1_700_000_000 * SECOND_NS
    stream = log.events(since_ns=base_ns + 20 * SECOND_NS, until_ns=base_ns + 22 * SECOND_NS)
    assert [event.action for event in stream._past] == ["n19", "n20", "n21"]
    assert len(past(log)) == HISTORY


def test_without_bounds_only_what_comes_is_told() -> None:
    async def main() -> None:
        log = log_with(("volume", "old", "v", {}))
        stream = log.events()
        assert log.listeners == 1
        log.publish("volume", "new", "v")
        assert [event.action for event in await taken(stream, 1)] == ["new"]

    asyncio.run(main())


def test_past_and_coming_events_are_told_once_each() -> None:
    async def main() -> None:
        log = log_with(("volume", "one", "v", {}))
        stream = log.events(since_ns=1)
        log.publish("volume", "two", "v")
        assert [event.action for event in await taken(stream, 2)] == ["one", "two"]
        del stream

    asyncio.run(main())


def test_the_stream_ends_when_until_is_reached_or_the_log_closes() -> None:
    async def main() -> None:
        log = log_with(("volume", "one", "v", {}))
        bounded = log.events(since_ns=1, until_ns=1_700_000_002 * SECOND_NS)
        assert len(await taken(bounded, 9)) == 1
        endless = log.events()
        log.close()
        assert await taken(endless, 9) == []
        assert log.listeners == 0

    asyncio.run(main())


def test_a_listener_that_falls_behind_is_cut_off() -> None:
    async def main() -> None:
        log = EventLog()
        stream = log.events()
        for n in range(3000):
            log.publish("volume", str(n), "v")
        with pytest.raises(Unavailable):
            await taken(stream, 3000)

    asyncio.run(main())


def test_an_abandoned_stream_unsubscribes() -> None:
    log = EventLog()
    stream = log.events()
    assert log.listeners == 1
    del stream
    assert log.listeners == 0


def test_an_empty_list_of_values_is_no_filter() -> None:
    assert EventFilter.of({"type": []}).wanted == {}
