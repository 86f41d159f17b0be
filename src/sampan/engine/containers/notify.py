"""A container's events, with the attributes that Docker gives them."""

from sampan.engine.containers.collaborators import Containers
from sampan.engine.containers.registry import Container
from sampan.network.values import Endpoint


def notify(deps: Containers, container: Container, action: str, **extra: str) -> None:
    """Publish `action` of the container; `extra` joins its labels, image and name."""
    record = container.record
    attributes = {**(record.config.labels or {}), "image": record.config.image, "name": record.name, **extra}
    deps.events.publish("container", action, record.id, attributes)


def notify_network(deps: Containers, container: Container, action: str, endpoint: Endpoint) -> None:
    """Publish `connect` or `disconnect` of the container's endpoint."""
    kind = "null" if endpoint.network_name == "none" else endpoint.network_name
    attributes = {"container": container.id, "name": endpoint.network_name, "type": kind}
    deps.events.publish("network", action, endpoint.network_id, attributes)


def notify_volumes(deps: Containers, container: Container, *, mounted: bool) -> None:
    """Publish `mount` or `unmount` of each of the container's volumes."""
    for mount in container.record.mounts:
        if mount.type != "volume":
            continue
        attributes = {"container": container.id, "driver": mount.driver}
        if mounted:
            attributes |= {
                "destination": mount.destination,
                "propagation": mount.propagation,
                "read/write": str(mount.read_write).lower(),
            }
        deps.events.publish("volume", "mount" if mounted else "unmount", mount.name, attributes)
