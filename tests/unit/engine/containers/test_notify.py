from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan.api.wire.host import HostConfig
from sampan.engine.containers.create import create
from sampan.engine.containers.notify import notify, notify_network, notify_volumes
from sampan.network.values import Endpoint


def test_an_event_has_the_labels_the_image_and_the_name_which_labels_do_not_hide(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        created = await create(world.deps, asked(name="web", labels={"a": "b", "name": "liar"}))
        notify(world.deps, world.deps.registry.get("web"), "die", exitCode="1")
        assert world.events.seen[-1] == (
            "container",
            "die",
            created.id,
            {"a": "b", "image": "box", "name": "web", "exitCode": "1"},
        )

    play(tmp_path, scenario)


@pytest.mark.parametrize(("network", "kind"), [("bridge", "bridge"), ("host", "host"), ("none", "null")])
def test_a_network_event_is_the_networks(tmp_path: Path, network: str, kind: str) -> None:
    async def scenario(world: World) -> None:
        created = await create(world.deps, asked(name="web"))
        endpoint = Endpoint(created.id, "n" * 64, network, "e" * 64)
        notify_network(world.deps, world.deps.registry.get("web"), "connect", endpoint)
        expected = {"container": created.id, "name": network, "type": kind}
        assert world.events.seen[-1] == ("network", "connect", "n" * 64, expected)

    play(tmp_path, scenario)


def test_volumes_are_told_of_and_binds_are_not(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        created = await create(world.deps, asked(name="web", host=HostConfig(binds=["/tmp:/t", "vol:/v"])))
        world.events.seen.clear()
        container = world.deps.registry.get("web")
        notify_volumes(world.deps, container, mounted=True)
        notify_volumes(world.deps, container, mounted=False)
        common = {"container": created.id, "driver": "local"}
        more = {"destination": "/v", "propagation": "", "read/write": "true"}
        assert world.events.seen == [("volume", "mount", "vol", common | more), ("volume", "unmount", "vol", common)]

    play(tmp_path, scenario)
