"""What happened, told to whoever listens: publishing, a short history, and filtered subscriptions.

Invariants  1. A subscription that starts with history misses nothing in between and repeats nothing: history and queue
               are taken in one synchronous stretch.
            2. Memory is bounded: HISTORY events, and a queue of bounded length for each listener; one that does not
               keep up is cut off (Unavailable).
Units       Instants in nanoseconds of the Unix epoch; 0 stands for no bound.
Spec        Engine API 1.51, GET /events; moby daemon/events/filter.go for what each filter matches.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from sampan.api.wire.event import Actor, Event
from sampan.base.clock import NS_PER_S, Clock, system_clock
from sampan.base.events import Bus, Subscription

HISTORY = 256
_QUEUE = 1024

# These filters name one object by the start of its id or name, and imply its type.
_BY_NAME = ("container", "network", "volume", "plugin", "daemon", "node", "service", "secret", "config")
_WITH_DETAIL = ("exec_create", "exec_start", "health_status")


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Filters as the API has them: each key must match by at least one of its values."""

    wanted: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, wanted: Mapping[str, Iterable[str]]) -> "EventFilter":
        return cls({key: frozenset(values) for key, values in wanted.items() if values})

    def matches(self, event: Event) -> bool:
        return all(self._matches(key, values, event) for key, values in self.wanted.items())

    def _matches(self, key: str, values: frozenset[str], event: Event) -> bool:
        if key == "event":
            return _matches_action(values, event.action)
        if key == "type":
            return event.type in values
        if key == "scope":
            return event.scope in values
        if key == "label":
            return all(_has_label(event.actor.attributes, label) for label in values)
        if key == "image":
            return _matches_image(values, event)
        if key in _BY_NAME:
            names = (event.actor.id, event.actor.attributes.get("name", ""))
            return event.type == key and any(name.startswith(value) for name in names for value in values)
        # Docker ignores filters it does not know here.
        return True


def _matches_action(values: frozenset[str], action: str) -> bool:
    if action in values:
        return True
    return action.startswith(_WITH_DETAIL) and any(action.startswith(value) for value in values)


def _has_label(attributes: Mapping[str, str], label: str) -> bool:
    name, equals, value = label.partition("=")
    return name in attributes and (not equals or attributes[name] == value)


def _matches_image(values: frozenset[str], event: Event) -> bool:
    name = event.actor.attributes.get("name" if event.type == "image" else "image", "")
    candidates = {event.actor.id, name, _without_tag(event.actor.id), _without_tag(name)}
    return bool(candidates & values)


def _without_tag(reference: str) -> str:
    head, colon, tag = reference.rpartition(":")
    return head if colon and "/" not in tag else reference


class EventLog:
    """The daemon's events."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._bus: Bus[Event] = Bus()
        self._history: deque[Event] = deque(maxlen=HISTORY)
        self._listeners = 0

    @property
    def listeners(self) -> int:
        """How many subscriptions are open."""
        return self._listeners

    def publish(
        self, type: str, action: str, id: str, attributes: Mapping[str, str] | None = None, *, scope: str = "local"
    ) -> None:
        """Tell everybody; never waits."""
        now_ns = self._clock.now_ns()
        attributes = dict(attributes or {})
        # Clients of the first API versions read these instead.
        is_legacy = type in ("container", "image")
        event = Event(
            status=action if is_legacy else "",
            id=id if is_legacy else "",
            from_=attributes.get("image", "") if type == "container" else "",
            type=type,
            action=action,
            actor=Actor(id=id, attributes=attributes),
            scope=scope,
            time=now_ns // NS_PER_S,
            time_nano=now_ns,
        )
        self._history.append(event)
        self._bus.publish(event)

    def events(
        self, *, since_ns: int = 0, until_ns: int = 0, filters: Mapping[str, Iterable[str]] | None = None
    ) -> "EventStream":
        """Past events when a bound is given, then those to come, until `until_ns` or for ever. Subscribes at once."""
        past = self._past(since_ns, until_ns)
        return EventStream(self, past, until_ns, EventFilter.of(filters or {}))

    def close(self) -> None:
        """End all subscriptions: the daemon stops."""
        self._bus.close()

    @contextmanager
    def subscribe(self) -> Iterator[Subscription[Event]]:
        """What is published from now on."""
        with self._bus.subscribe(_QUEUE) as subscription:
            self._listeners += 1
            try:
                yield subscription
            finally:
                self._listeners -= 1

    def now_ns(self) -> int:
        return self._clock.now_ns()

    def _past(self, since_ns: int, until_ns: int) -> list[Event]:
        if not since_ns and not until_ns:
            return []
        latest_ns = until_ns or self._clock.now_ns()
        return [event for event in self._history if since_ns <= event.time_nano <= latest_ns]


class EventStream:
    """An open subscription, to be iterated once; it ends with the iteration, or when nobody holds it."""

    def __init__(self, log: EventLog, past: list[Event], until_ns: int, chosen: EventFilter) -> None:
        self._resources = ExitStack()
        self._subscription = self._resources.enter_context(log.subscribe())
        self._log = log
        self._past = past
        self._until_ns = until_ns
        self._chosen = chosen

    async def __aiter__(self) -> AsyncGenerator[Event, None]:
        try:
            for event in self._past:
                if self._chosen.matches(event):
                    yield event
            while (coming := await self._next()) is not None:
                if self._chosen.matches(coming):
                    yield coming
        finally:
            self.close()

    def close(self) -> None:
        """End the subscription; idempotent."""
        self._resources.close()

    def __del__(self) -> None:
        self._resources.close()

    async def _next(self) -> Event | None:
        """The next event; None at the end."""
        try:
            if not self._until_ns:
                return await self._subscription.get()
            left_s = (self._until_ns - self._log.now_ns()) / NS_PER_S
            async with asyncio.timeout(max(left_s, 0)):
                return await self._subscription.get()
        except (TimeoutError, StopAsyncIteration):
            return None
