"""Order, memory and record of joins and leaves, over a driver that only takes notes."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from sampan import errors
from sampan.network import Endpoint, Netns, Network, Networks, PortBinding
from sampan.network.bridged import BridgeConfig
from sampan.network.drivers import Wishes
from sampan.storage.metadata import Database


class Namespace:
    ns_fd = route_fd = -1


class FakeBridge:
    """A driver that takes notes; `fail` is called while connecting."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.fail: Callable[[], None] = lambda: None

    is_quick = False

    def reserve(self, endpoint: Endpoint, wishes: Wishes) -> Endpoint:
        if wishes.ports:
            raise errors.Internal("Bind for 0.0.0.0:80 failed: port is already allocated")
        self.notes.append(f"reserve {endpoint.container_id}")
        return replace(endpoint, ip_address="10.82.0.2", prefix_length=24)

    def restore(self, endpoint: Endpoint) -> None:
        self.notes.append(f"restore {endpoint.container_id}")

    def connect(self, endpoint: Endpoint, netns: Netns | None) -> None:
        self.notes.append(f"connect {endpoint.container_id}")
        self.fail()

    def disconnect(self, endpoint: Endpoint, *, namespace_stays: bool) -> None:
        self.notes.append(f"disconnect {endpoint.container_id}{' and clean' if namespace_stays else ''}")

    def free(self, endpoint: Endpoint) -> None:
        self.notes.append(f"free {endpoint.container_id}")

    def open(self, endpoints: list[Endpoint]) -> None:
        self.notes.append(f"open with {len(endpoints)}")

    def close(self) -> None:
        self.notes.append("close")

    async def guard(self) -> None:
        await asyncio.Event().wait()

    def sweep(self, endpoints: list[Endpoint]) -> None:
        self.notes.append(f"sweep but for {len(endpoints)}")

    def teardown(self) -> None:
        self.notes.append("teardown")


@asynccontextmanager
async def opened(folder: os.PathLike[str]) -> AsyncIterator[tuple[Networks, FakeBridge]]:
    bridge = FakeBridge()

    def make(config: BridgeConfig, record: Network) -> tuple[FakeBridge, Network]:
        return bridge, replace(record, subnet="10.82.0.0/24", gateway="10.82.0.1")

    database = Database(os.path.join(folder, "metadata.db"))
    database.open()
    try:
        async with Networks(database, make_bridge=make) as networks:
            yield networks, bridge
    finally:
        database.close()


async def join(networks: Networks, container: str, *, mode: str = "bridge", ports: int = 0) -> Endpoint:
    wanted = [PortBinding(80)] * ports
    return await networks.join(container, mode=mode, ports=wanted, netns=Namespace(), hostname="h", name="web")


def test_a_container_joins_once_and_leaves_as_often_as_it_likes(tmp_path: os.PathLike[str]) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as (networks, bridge):
            endpoint = await join(networks, "c", mode="default")
            assert networks.endpoint("c") == endpoint
            assert endpoint.network_name == "bridge"
            with pytest.raises(errors.Conflict, match="endpoint with name web already exists in network bridge"):
                await join(networks, "c")
            await networks.leave("c")
            await networks.leave("c")
            assert networks.endpoint("c") is None
        assert bridge.notes == ["open with 0", "reserve c", "connect c", "disconnect c", "free c", "close"]

    asyncio.run(scenario())


def test_a_refused_port_is_told_in_dockers_words(tmp_path: os.PathLike[str]) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as (networks, _):
            with pytest.raises(
                errors.Internal, match=r"^failed to set up container networking: Bind for 0.0.0.0:80 failed"
            ):
                await join(networks, "c", ports=1)
            assert networks.endpoints() == []

    asyncio.run(scenario())


def test_a_refusal_of_the_kernel_is_undone_and_reported(tmp_path: os.PathLike[str]) -> None:
    async def scenario() -> None:
        def refuse() -> None:
            raise OSError(17, "File exists")

        async with opened(tmp_path) as (networks, bridge):
            bridge.fail = refuse
            with pytest.raises(
                errors.Internal, match=r"^failed to set up container networking: endpoint web \(.*: File exi"
            ):
                await join(networks, "c")
            assert bridge.notes[-2:] == ["disconnect c and clean", "free c"]
            assert networks.endpoint("c") is None
        async with opened(tmp_path) as (networks, _):
            assert networks.endpoints() == [], "no record was left"

    asyncio.run(scenario())


def test_a_cancelled_join_is_undone(tmp_path: os.PathLike[str]) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as (networks, bridge):
            loop = asyncio.get_running_loop()
            async with asyncio.TaskGroup() as group:
                joining = group.create_task(join(networks, "c"))
                bridge.fail = lambda: loop.call_soon_threadsafe(joining.cancel) and None
            assert joining.cancelled()
            assert bridge.notes[-2:] == ["disconnect c and clean", "free c"]
            assert networks.endpoint("c") is None

    asyncio.run(scenario())


def test_the_next_daemon_knows_networks_and_endpoints_and_drops_the_dead(tmp_path: os.PathLike[str]) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as (networks, _):
            known = networks.networks()
            kept = await join(networks, "a")
            await join(networks, "b")
            alone = await join(networks, "n", mode="host")
        assert [network.name for network in known] == ["bridge", "host", "none"]
        async with opened(tmp_path) as (networks, bridge):
            assert networks.networks() == known
            await networks.reconcile({"a", "n"})
            assert networks.endpoints() == [kept, alone]
            assert bridge.notes == ["restore a", "restore b", "open with 2", "free b", "sweep but for 1"]
        async with opened(tmp_path) as (networks, _):
            assert networks.endpoint("b") is None

    asyncio.run(scenario())


def test_an_unknown_network_is_not_found(tmp_path: os.PathLike[str]) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as (networks, _):
            with pytest.raises(errors.NotFound, match="network backend not found"):
                await join(networks, "c", mode="backend")

    asyncio.run(scenario())


def test_teardown_disconnects_everybody_first(tmp_path: os.PathLike[str]) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as (networks, bridge):
            await join(networks, "c")
            await networks.teardown()
            assert bridge.notes[-3:] == ["disconnect c", "free c", "teardown"]
            assert networks.endpoints() == []

    asyncio.run(scenario())
