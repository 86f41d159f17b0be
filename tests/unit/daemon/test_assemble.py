"""The parts of assembling that need neither root nor a kernel; the whole is started by the integration tests."""

import asyncio
import os
import stat
from dataclasses import replace
from pathlib import Path

from fakes.engine import World, asked, engine, play
from sampan.api.wire.host import HostConfig
from sampan.daemon.assemble import _counts, _engine_id, _users_in, prepare_roots
from sampan.daemon.config import Config
from sampan.engine.containers.create import create
from sampan.engine.containers.start import start
from sampan.engine.containers.states import State
from sampan.image.store import ImageStore
from support.image_world import World as Images
from support.image_world import make


def mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_others_may_pass_through_the_roots_but_not_look_and_sockets_are_ours_alone(tmp_path: Path) -> None:
    config = replace(Config(), data_root=str(tmp_path / "data" / "deep"), exec_root=str(tmp_path / "exec"))
    for _ in range(2):
        prepare_roots(config)
    assert mode(config.data_root) == mode(f"{config.data_root}/containers") == mode(config.exec_root) == 0o711
    assert mode(f"{config.exec_root}/containers") == 0o700


def test_an_engine_keeps_its_id_with_its_data(tmp_path: Path) -> None:
    first = _engine_id(str(tmp_path))
    assert _engine_id(str(tmp_path)) == first
    other = tmp_path / "other"
    other.mkdir()
    assert _engine_id(str(other)) != first


def test_a_volume_is_kept_by_its_containers_until_they_are_being_removed(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        users_of = _users_in(world.deps.registry)
        created = await create(world.deps, asked(name="web", host=HostConfig(binds=["vol:/v", "/tmp:/t"])))
        assert (users_of("vol"), users_of("other"), users_of("/tmp")) == ([created.id], [], [])
        world.deps.registry.get("web").state = State.REMOVING
        assert users_of("vol") == []

    play(tmp_path, scenario)


def test_containers_are_counted_by_what_they_do(tmp_path: Path) -> None:
    images = Images(tmp_path)

    async def main() -> None:
        store: ImageStore = await images.store()
        await make(store, "a:1")
        folder = tmp_path / "engine"
        folder.mkdir()
        async with engine(str(folder)) as world:
            for name in ("run", "pause", "create", "exit"):
                await create(world.deps, asked(name=name))
                if name != "create":
                    await start(world.deps, name)
            world.launcher.shim.end(0)
            await world.settled()
            world.deps.registry.get("pause").state = State.PAUSED
            found = _counts(world.deps.registry, store)
            assert (found.running, found.paused, found.stopped, found.images) == (1, 1, 2, 1)

    try:
        asyncio.run(main())
    finally:
        images.close()
