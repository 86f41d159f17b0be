import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from fakes.engine import World, asked, engine
from sampan.api.wire.host import HostConfig
from sampan.engine.containers.create import create
from sampan.engine.containers.list import command_text, list_
from sampan.engine.containers.start import start


async def populate(world: World) -> None:
    """Three containers: old (exited 3), mid (running), new (created)."""
    deps = world.deps
    await create(deps, asked(name="old", labels={"a": "1"}))
    await create(deps, asked(name="mid", labels={"a": "2", "b": ""}, host=HostConfig(binds=["vol:/v"])))
    await create(deps, asked(name="new", exposed_ports={"80/tcp": {}}))
    await start(deps, "old")
    world.launcher.shim.end(3)
    await start(deps, "mid")
    await world.settled()


def names(tmp_path: Path, filters: Mapping[str, list[str]], **options: object) -> list[str]:
    async def main() -> list[str]:
        async with engine(str(tmp_path)) as world:
            await populate(world)
            found = await list_(world.deps, filters=filters, **options)  # type: ignore[arg-type]
            return [summary.names[0].removeprefix("/") for summary in found]

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "mid"),
        ({"status": ["exited"]}, "old"),
        ({"status": ["created", "running"]}, "new mid"),
        ({"exited": ["3"]}, "old"),
        ({"exited": ["0"]}, ""),
        ({"name": ["^/m"]}, "mid"),
        ({"label": ["a"]}, "mid"),
        ({"label": ["a=1"]}, ""),
        ({"label": ["a=2", "b"]}, "mid"),
        ({"label!": ["a"]}, ""),
        ({"volume": ["vol"]}, "mid"),
        ({"volume": ["/v"]}, "mid"),
        ({"network": ["bridge"]}, "mid"),
        ({"network": ["none"]}, ""),
        ({"ancestor": ["box"]}, "mid"),
        ({"ancestor": ["other"]}, ""),
        ({"health": ["none"]}, "mid"),
        ({"is-task": ["false"]}, "mid"),
        ({"is-task": ["true"]}, ""),
        ({"publish": ["80"]}, ""),
    ],
)
def test_filters_choose(tmp_path: Path, filters: dict[str, list[str]], expected: str) -> None:
    assert names(tmp_path, filters) == expected.split()


def test_all_and_limit_show_containers_that_do_not_run(tmp_path: Path) -> None:
    assert names(tmp_path, {}, all=True) == ["new", "mid", "old"]


def test_a_limit_takes_the_newest(tmp_path: Path) -> None:
    assert names(tmp_path, {}, limit=2) == ["new", "mid"]


def test_before_and_since_compare_ages(tmp_path: Path) -> None:
    assert names(tmp_path, {"before": ["new"], "since": ["old"]}, all=True) == ["mid"]


def test_a_summary_tells_what_docker_ps_shows(tmp_path: Path) -> None:
    async def main() -> None:
        async with engine(str(tmp_path)) as world:
            await create(world.deps, asked(name="old", cmd=["sh", "-c", "a b"]))
            (found,) = await list_(world.deps, all=True)
            assert (found.image, found.state, found.status) == ("box", "created", "Created")
            assert found.command == "sh -c 'a b'"
            assert found.host_config.network_mode == "bridge"

    asyncio.run(main())


def test_arguments_with_a_space_are_quoted() -> None:
    assert command_text("a b", ["c", "d e"]) == "a b c 'd e'"
