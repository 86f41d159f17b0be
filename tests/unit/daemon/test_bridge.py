import asyncio
from pathlib import Path
from types import TracebackType

import pytest

from sampan.daemon.bridge import kept_while_needed
from sampan.daemon.config import Config


class FakeNetworks:
    def __init__(self, endpoints: list[str]) -> None:
        self.connected = endpoints
        self.is_torn_down = False

    async def __aenter__(self) -> "FakeNetworks":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def endpoints(self) -> list[str]:
        return self.connected

    async def teardown(self) -> None:
        self.is_torn_down = True


def torn_down(folder: Path, bridge: str, *endpoints: str) -> bool:
    async def main() -> bool:
        networks = FakeNetworks(list(endpoints))
        async with kept_while_needed(Config(exec_root=str(folder), bridge=bridge), networks):  # type: ignore[arg-type]
            pass
        return networks.is_torn_down

    return asyncio.run(main())


def test_a_bridge_of_ours_goes_with_the_last_daemon_that_needs_it(tmp_path: Path) -> None:
    assert not torn_down(tmp_path, "smpe-none0", "container")
    assert torn_down(tmp_path, "smpe-none0")
    assert not list(tmp_path.iterdir())


def test_an_operators_bridge_stays(tmp_path: Path) -> None:
    assert not torn_down(tmp_path, "lo")


def test_a_failure_leaves_everything_as_it_is(tmp_path: Path) -> None:
    async def main(networks: FakeNetworks) -> None:
        config = Config(exec_root=str(tmp_path), bridge="smpe-none0")
        async with kept_while_needed(config, networks):  # type: ignore[arg-type]
            raise RuntimeError("broken")

    networks = FakeNetworks([])
    with pytest.raises(RuntimeError):
        asyncio.run(main(networks))
    assert not networks.is_torn_down
