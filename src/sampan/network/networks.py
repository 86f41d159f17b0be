"""Networks: containers join and leave them. The asyncio face of the package.

Order       join   address and host ports (memory), then at once the record and the kernel: veth pair, one batch of
                   firewall elements if ports are published. What failed is undone before the error is raised.
            leave  firewall elements, host end down; only then address and ports are free for others. The removal of
                   the record is not waited for: one that was not removed is dropped at the next start.
            start  records are loaded, ports held again, bridge and table made; `reconcile` then drops what belonged to
                   containers that have ended meanwhile.
Invariants  1. An endpoint that `endpoint()` shows has its row and what its driver has made for it in the kernel.
            2. A container has one endpoint; its joins and leaves are in order, those of different ones run together.
            3. Leaving the `async with` changes nothing in the kernel: containers go on without the daemon.
Errors      Internal (a port is in use, the kernel refuses), ResourceExhausted (no address), Conflict (joined already),
            NotFound (no such network), InvalidArgument.
"""

from asyncio import TaskGroup
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from types import TracebackType

from sampan import errors
from sampan.base.clock import Clock, system_clock
from sampan.base.ids import new_id
from sampan.base.locks import Keyed
from sampan.base.tasks import TaskScope, finish, run_blocking
from sampan.network import predefined, records
from sampan.network.bridged import BridgeConfig, default_bridge
from sampan.network.drivers import DefaultBridge, Driver, HostDriver, LoopbackDriver, Wishes
from sampan.network.predefined import BRIDGE, HOST, NONE
from sampan.network.values import Endpoint, Netns, Network, PortBinding
from sampan.storage.metadata import Database

DEFAULT_BRIDGE = "sampan0"
DEFAULT_MTU = 1500


class Networks:
    """The networks of one daemon, inside an `async with`."""

    def __init__(
        self,
        database: Database,
        *,
        bridge: str = DEFAULT_BRIDGE,
        bip: str | None = None,
        mtu: int = DEFAULT_MTU,
        clock: Clock = system_clock,
        make_bridge: Callable[[BridgeConfig, Network], tuple[DefaultBridge, Network]] = default_bridge,
    ) -> None:
        self._database = database
        interface = predefined.check_interface_name(bridge)
        self._config = BridgeConfig(interface, predefined.parse_bip(bip) if bip else None, mtu)
        self._make_bridge = make_bridge
        self._clock = clock
        self._keyed = Keyed()
        self._stack = AsyncExitStack()
        self._networks: dict[str, Network] = {}
        self._drivers: dict[str, Driver] = {HOST: HostDriver(), NONE: LoopbackDriver()}
        self._endpoints: dict[str, Endpoint] = {}
        self._departed: list[Endpoint] = []

    async def __aenter__(self) -> "Networks":
        async with AsyncExitStack() as stack:
            with _kernel_errors(f"cannot set up network bridge {self._config.interface}"):
                await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def networks(self) -> list[Network]:
        """The records of all networks."""
        return list(self._networks.values())

    def endpoint(self, container_id: str) -> Endpoint | None:
        """The container's endpoint while it has joined a network."""
        return self._endpoints.get(container_id)

    def endpoints(self) -> list[Endpoint]:
        """All endpoints, in the order of their joining."""
        return list(self._endpoints.values())

    async def join(
        self,
        container_id: str,
        *,
        mode: str,
        ports: Sequence[PortBinding],
        netns: Netns | None,
        hostname: str,
        mac: str | None = None,
        name: str = "",
    ) -> Endpoint:
        """Connect a container to the network `mode`: "bridge" (or "default"), "host" or "none".

        `name` is the container's, for messages. A failure leaves nothing behind in the namespace or on the host.
        """
        network = self._networks.get(BRIDGE if mode == "default" else mode)
        if network is None:
            raise errors.NotFound(f"network {mode} not found")
        async with self._keyed(container_id):
            if container_id in self._endpoints:
                raise errors.Conflict(f"endpoint with name {name or hostname} already exists in network {network.name}")
            endpoint = Endpoint(container_id, network.id, network.name, new_id())
            return await self._join(endpoint, netns, Wishes(ports, mac, name or hostname))

    async def leave(self, container_id: str) -> None:
        """Disconnect a container whose namespace ends; harmless when it is not connected."""
        async with self._keyed(container_id):
            endpoint = self._endpoints.get(container_id)
            if endpoint is not None:
                with _kernel_errors(f"cannot disconnect container {container_id} from {endpoint.network_name}"):
                    await finish(self._disconnect(endpoint, namespace_stays=False))

    async def reconcile(self, alive: set[str]) -> None:
        """Drop the endpoints of containers that are not in `alive`, and everything of ours that belongs to nobody."""
        dead = [endpoint for endpoint in self.endpoints() if endpoint.container_id not in alive]
        for endpoint in dead:
            del self._endpoints[endpoint.container_id]
            self._driver(endpoint).free(endpoint)
        self._departed += dead
        await self._forget_departed()
        with _kernel_errors(f"cannot reconcile network bridge {self._config.interface}"):
            await run_blocking("net", self._bridge.sweep, _bridged(self.endpoints()))

    async def teardown(self) -> None:
        """Remove bridge, pairs, table and the rules in other firewalls, for good: all endpoints are gone."""
        for endpoint in self.endpoints():
            await self.leave(endpoint.container_id)
        await self._forget_departed()
        with _kernel_errors(f"cannot remove network bridge {self._config.interface}"):
            await run_blocking("net", self._bridge.teardown)

    async def _join(self, endpoint: Endpoint, netns: Netns | None, wishes: Wishes) -> Endpoint:
        driver = self._driver(endpoint)
        with _prefixed(_JOIN_FAILED):
            endpoint = driver.reserve(endpoint, wishes)
        try:
            async with TaskGroup() as group:
                group.create_task(self._database.write(lambda tx: records.save_endpoint(tx, endpoint)))
                await _call(driver, partial(driver.connect, endpoint, netns))
        except BaseExceptionGroup as group_error:
            failure = group_error.exceptions[0]
            await self._undo_join(endpoint, failure)
            with _prefixed(_JOIN_FAILED), _kernel_errors(f"endpoint {wishes.name} ({endpoint.endpoint_id})"):
                raise failure from None
        except BaseException as failure:
            await self._undo_join(endpoint, failure)
            raise
        self._endpoints[endpoint.container_id] = endpoint
        return endpoint

    async def _undo_join(self, endpoint: Endpoint, failure: BaseException) -> None:
        try:
            await finish(self._disconnect(endpoint, namespace_stays=True))
        except (OSError, TimeoutError) as error:
            failure.add_note(f"and then: {error}")

    async def _disconnect(self, endpoint: Endpoint, *, namespace_stays: bool) -> None:
        """Undo what the kernel and the database have; only then what is in memory, which others wait for."""
        driver = self._driver(endpoint)
        await _call(driver, partial(driver.disconnect, endpoint, namespace_stays=namespace_stays))
        self._endpoints.pop(endpoint.container_id, None)
        driver.free(endpoint)
        self._departed.append(endpoint)
        self._scope.spawn(self._forget_departed(), name=f"forget endpoint {endpoint.endpoint_id}")

    async def _forget_departed(self) -> None:
        """Remove the records of all endpoints that are gone."""
        gone, self._departed = self._departed, []
        if gone:
            try:
                await self._database.write(lambda tx: records.delete_endpoints(tx, gone))
            except BaseException:
                self._departed += gone
                raise

    async def _start(self, stack: AsyncExitStack) -> None:
        self._database.migrate(records.COMPONENT, records.MIGRATIONS)
        known = {network.name: network for network in records.load_networks(self._database)}
        for name in (BRIDGE, HOST, NONE):
            self._networks[name] = known.get(name) or predefined.make(name, self._clock.now_ns())
        self._bridge, self._networks[BRIDGE] = self._make_bridge(self._config, self._networks[BRIDGE])
        stack.callback(self._bridge.close)
        self._drivers[BRIDGE] = self._bridge
        networks = self.networks()
        await self._database.write(lambda tx: records.save_networks(tx, networks))
        for endpoint in records.load_endpoints(self._database):
            self._endpoints[endpoint.container_id] = endpoint
            self._driver(endpoint).restore(endpoint)
        self._bridge.open(_bridged(self.endpoints()))
        stack.push_async_callback(self._forget_departed)
        self._scope = await stack.enter_async_context(TaskScope("network"))
        self._scope.spawn(self._bridge.guard(), name="firewall guard")

    def _driver(self, endpoint: Endpoint) -> Driver:
        return self._drivers[endpoint.network_name]


_JOIN_FAILED = "failed to set up container networking"


def _bridged(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    return [endpoint for endpoint in endpoints if endpoint.network_name == BRIDGE]


async def _call(driver: Driver, action: Callable[[], None]) -> None:
    if driver.is_quick:
        action()
    else:
        await run_blocking("net", action)


@contextmanager
def _prefixed(text: str) -> Iterator[None]:
    try:
        yield
    except errors.Error as error:
        raise type(error)(f"{text}: {error}") from error


@contextmanager
def _kernel_errors(text: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise errors.Internal(f"{text}: {error.strerror}") from error
