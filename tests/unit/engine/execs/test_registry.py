from pathlib import Path

import pytest

from fakes.engine import ECHO, World, asked, play_execs
from sampan import errors
from sampan.api.wire.exec import ExecConfig
from sampan.engine.containers import create as containers
from sampan.engine.containers.remove import remove
from sampan.engine.containers.start import start as start_container
from sampan.engine.execs.create import create
from sampan.engine.execs.registry import KEPT_NS, Exec, ExecRegistry


def test_an_exec_is_forgotten_five_minutes_after_its_end(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        registry, container = ExecRegistry(), world.deps.registry.get("web")
        running, ended = Exec("running", container, ECHO), Exec("ended", container, ECHO)
        registry.add(running, 0)
        registry.add(ended, 0)
        ended.ended(0, 1000)
        registry.add(Exec("later", container, ECHO), 1000 + KEPT_NS)
        assert registry.get("ended") is ended
        registry.add(Exec("much later", container, ECHO), 1001 + KEPT_NS)
        assert [found.id for found in registry] == ["running", "later", "much later"]
        with pytest.raises(errors.NotFound, match=r"^No such exec instance: ended$"):
            registry.get("ended")

    play_execs(tmp_path, scenario)


def test_an_exec_goes_with_its_container(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        id = await create(world.execs, "web", ECHO)
        assert len(world.execs.registry) == 1
        await remove(world.deps, "web", force=True)
        with pytest.raises(errors.NotFound, match=f"No such exec instance: {id}"):
            world.execs.registry.get(id)
        await containers.create(world.deps, asked(name="other"))
        await start_container(world.deps, "other")
        await create(world.execs, "other", ECHO)
        assert len(world.execs.registry) == 1

    play_execs(tmp_path, scenario)


def test_an_exec_runs_from_its_start_to_its_exit_code(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        container = world.deps.registry.get("web")
        found = Exec("e", container, ExecConfig(cmd=["a", "b", "c"]))
        assert (found.is_running, found.command) == (False, ("a", ["b", "c"]))
        found.has_started = True
        assert found.is_running
        container.exec_ids.append("e")
        found.ended(3, 1)
        found.ended(3, 1)
        assert (found.is_running, container.exec_ids) == (False, [])

    play_execs(tmp_path, scenario)
