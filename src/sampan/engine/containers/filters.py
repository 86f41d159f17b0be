"""The filters of GET /containers/json: one matcher per name, in a table; pure but for looking containers up.

A filter's values are alternatives, filters are conjoined; labels are all required. Errors are Docker's.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sampan import errors
from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.registry import Container
from sampan.engine.containers.states import State
from sampan.network.values import Endpoint

Match = Callable[[Container], bool]
_HEALTH = ("none", "starting", "healthy", "unhealthy")


@dataclass(frozen=True, slots=True)
class Plan:
    """`shows_all`: the filters ask for containers that do not run, so the default of running ones only is off."""

    matches: list[Match]
    shows_all: bool

    def accepts(self, container: Container) -> bool:
        return all(match(container) for match in self.matches)


def plan(deps: Containers, filters: Mapping[str, Collection[str]]) -> Plan:
    """Check the filters and make matchers of them."""
    matches: list[Match] = []
    for name, values in filters.items():
        build = _BUILDERS.get(name)
        if build is None:
            raise errors.InvalidArgument(f"invalid filter '{name}'")
        if values:
            matches.append(build(deps, list(values)))
    shows_all = any(filters.get(name) for name in ("status", "exited"))
    return Plan(matches, shows_all)


def _by_id(deps: Containers, values: list[str]) -> Match:
    return lambda container: any(container.id.startswith(value) for value in values)


def _by_name(deps: Containers, values: list[str]) -> Match:
    try:
        patterns = [re.compile(value) for value in values]
    except re.error as error:
        raise errors.InvalidArgument(f"invalid filter 'name={values[0]}': {error}") from error
    return lambda container: any(
        pattern.search(f"/{container.name}") or pattern.search(container.name) for pattern in patterns
    )


def _has_label(container: Container, text: str) -> bool:
    labels = container.record.config.labels or {}
    key, separator, wanted = text.partition("=")
    return key in labels and (not separator or labels[key] == wanted)


def _by_label(deps: Containers, values: list[str]) -> Match:
    return lambda container: all(_has_label(container, value) for value in values)


def _by_absent_label(deps: Containers, values: list[str]) -> Match:
    return lambda container: not any(_has_label(container, value) for value in values)


def _by_status(deps: Containers, values: list[str]) -> Match:
    for value in values:
        if value not in set(State):
            raise errors.InvalidArgument(
                f"invalid filter 'status={value}': invalid value for state ({value}): must be one of "
                "created, running, paused, restarting, removing, exited, dead"
            )
    return lambda container: container.state.value in values


def _by_exit_code(deps: Containers, values: list[str]) -> Match:
    codes = set()
    for value in values:
        try:
            codes.add(int(value))
        except ValueError as error:
            raise errors.InvalidArgument(
                f"invalid filter 'exited={value}': strconv.Atoi: parsing \"{value}\": invalid syntax"
            ) from error
    return lambda container: container.has_started and not container.is_running and container.outcome.exit_code in codes


def _by_ancestor(deps: Containers, values: list[str]) -> Match:
    ids, texts = set(), set(values)
    for value in values:
        try:
            ids.add(deps.images.resolve(value).id)
        except errors.NotFound:
            continue
    return lambda container: container.record.image_id in ids or container.record.config.image in texts


def _before(deps: Containers, values: list[str]) -> Match:
    limit_ns = min(deps.registry.get(value).record.created_ns for value in values)
    return lambda container: container.record.created_ns < limit_ns


def _since(deps: Containers, values: list[str]) -> Match:
    limit_ns = max(deps.registry.get(value).record.created_ns for value in values)
    return lambda container: container.record.created_ns > limit_ns


def _by_network(deps: Containers, values: list[str]) -> Match:
    def matches(container: Container) -> bool:
        names = set(container.record.networking.endpoints_config or {})
        endpoint = deps.networks.endpoint(container.id)
        ids = {endpoint.network_id} if isinstance(endpoint, Endpoint) else set()
        return any(value in names or any(id.startswith(value) for id in ids) for value in values)

    return matches


def _by_volume(deps: Containers, values: list[str]) -> Match:
    return lambda container: any(
        value in (mount.name, mount.destination) or (mount.type == "bind" and value == mount.source)
        for mount in container.record.mounts
        for value in values
    )


def _by_health(deps: Containers, values: list[str]) -> Match:
    for value in values:
        if value not in _HEALTH:
            raise errors.InvalidArgument(
                f"invalid filter 'health={value}': invalid value for health ({value}): "
                "must be one of none, starting, healthy, unhealthy"
            )
    return lambda container: "none" in values


def _by_task(deps: Containers, values: list[str]) -> Match:
    wanted = {"true": True, "1": True, "false": False, "0": False}
    if any(value not in wanted for value in values):
        raise errors.InvalidArgument(f"invalid filter 'is-task=[{' '.join(values)}]'")
    asks_for_tasks = wanted[values[0]]
    return lambda container: ("com.docker.swarm.task.id" in (container.record.config.labels or {})) == asks_for_tasks


def _by_isolation(deps: Containers, values: list[str]) -> Match:
    return lambda container: (container.record.host.isolation or "default") in values


def _port_matcher(name: str) -> Callable[[Containers, list[str]], Match]:
    def build(deps: Containers, values: list[str]) -> Match:
        wanted = {port for value in values for port in _ports(name, value)}

        def matches(container: Container) -> bool:
            if name == "expose":
                ports = {*container.record.config.exposed_ports, *(container.record.host.port_bindings or {})}
                found = {port if "/" in port else f"{port}/tcp" for port in ports}
            else:
                endpoint = deps.networks.endpoint(container.id)
                published = endpoint.published if endpoint else ()
                found = {f"{port.host_port}/{port.protocol}" for port in published}
                found |= {f"{port.container_port}/{port.protocol}" for port in published}
            return bool(wanted & found)

        return matches

    return build


def _ports(name: str, text: str) -> list[str]:
    numbers, _, protocol = text.partition("/")
    first, _, last = numbers.partition("-")
    for part in (first, last or first):
        if not (part.isascii() and part.isdigit()):
            raise errors.InvalidArgument(
                f'error while looking up for {name} {text}: strconv.ParseUint: parsing "{part}": invalid syntax'
            )
    return [f"{number}/{protocol or 'tcp'}" for number in range(int(first), min(int(last or first), 65535) + 1)]


_BUILDERS: dict[str, Callable[[Containers, list[str]], Match]] = {
    "ancestor": _by_ancestor,
    "before": _before,
    "exited": _by_exit_code,
    "expose": _port_matcher("expose"),
    "health": _by_health,
    "id": _by_id,
    "is-task": _by_task,
    "isolation": _by_isolation,
    "label": _by_label,
    "label!": _by_absent_label,
    "name": _by_name,
    "network": _by_network,
    "publish": _port_matcher("publish"),
    "since": _since,
    "status": _by_status,
    "volume": _by_volume,
}
