import pytest

from sampan import errors
from sampan.api.wire.container import ContainerConfig
from sampan.api.wire.host import HostConfig
from sampan.api.wire.network import NetworkingConfig
from sampan.engine.containers.record import ContainerRecord
from sampan.engine.containers.registry import Container, Registry


def made(registry: Registry, id: str, name: str) -> Container:
    record = ContainerRecord(
        id=id.ljust(64, "0"),
        name=name,
        created_ns=1,
        image_id="sha256:1",
        path="sh",
        args=[],
        config=ContainerConfig(),
        host=HostConfig(),
        networking=NetworkingConfig(),
        mounts=[],
    )
    registry.reserve(name, record.id)
    container = Container(record)
    registry.add(container)
    return container


def test_a_container_is_found_by_id_name_and_beginning_of_its_id() -> None:
    registry = Registry()
    one, two = made(registry, "abc1", "one"), made(registry, "abd2", "two")
    assert registry.get(one.id) is one
    assert registry.get("/two") is two
    assert registry.get("abd") is two
    with pytest.raises(errors.InvalidArgument, match="multiple IDs found with provided prefix: ab"):
        registry.get("ab")
    with pytest.raises(errors.NotFound, match="No such container: x"):
        registry.get("x")
    with pytest.raises(errors.NotFound):
        registry.get("")


def test_a_name_wins_over_the_beginning_of_an_id() -> None:
    registry = Registry()
    made(registry, "abc", "one")
    named = made(registry, "def", "abc")
    assert registry.get("abc") is named


def test_a_name_is_free_again_when_its_container_is_gone() -> None:
    registry = Registry()
    one = made(registry, "abc", "one")
    with pytest.raises(errors.AlreadyExists):
        registry.reserve("one", "other")
    registry.discard(one)
    assert one.is_gone
    registry.reserve("one", "other")
    registry.release("one", "somebody else")
    assert registry.names() == {"one"}


def test_its_short_form_tells_nothing_to_a_longer_text() -> None:
    registry = Registry()
    one = made(registry, "abc", "one")
    assert registry.find(one.id + "0") is None
