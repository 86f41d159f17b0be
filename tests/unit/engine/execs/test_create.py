import os
from pathlib import Path

import pytest

from fakes.engine import ECHO, World, play_execs
from sampan import errors
from sampan.api.wire.exec import ExecConfig
from sampan.engine.containers.states import State
from sampan.engine.execs.create import create
from sampan.engine.execs.inspect import inspect
from sampan.engine.execs.start import start_detached


def test_an_exec_wants_a_command_and_a_running_container(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(errors.InvalidArgument, match="No exec command specified"):
            await create(world.execs, "web", ExecConfig())
        with pytest.raises(errors.InvalidArgument, match="Invalid detach keys"):
            await create(world.execs, "web", ExecConfig(cmd=["x"], detach_keys="ctrl-"))
        id = await create(world.execs, "web", ECHO)
        await start_detached(world.execs, id)
        world.launcher.shim.end(0)
        await world.settled()
        assert (await inspect(world.execs, id)).exit_code == 137
        with pytest.raises(errors.Conflict, match="is not running"):
            await create(world.execs, "web", ECHO)
        with pytest.raises(errors.NotFound, match="No such exec instance: x"):
            await inspect(world.execs, "x")

    play_execs(tmp_path, scenario)


def test_an_environment_variable_has_a_name(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(errors.InvalidArgument, match="invalid environment variable: =x"):
            await create(world.execs, "web", ExecConfig(cmd=["a"], env=["A=b", "=x"]))
        assert world.deps.registry.get("web").exec_ids == []

    play_execs(tmp_path, scenario)


def test_a_paused_container_takes_no_exec(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        container = world.deps.registry.get("web")
        container.state = State.PAUSED
        with pytest.raises(errors.Conflict) as caught:
            await create(world.execs, "web", ECHO)
        assert str(caught.value) == "container web is paused, unpause the container before exec"
        container.state = State.RUNNING

    play_execs(tmp_path, scenario)


def test_the_event_has_the_command_and_the_id(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        id = await create(world.execs, "web", ExecConfig(cmd=["sh", "-c", "a b"]))
        _, action, _, attributes = world.events.seen[-1]
        assert (action, attributes["execID"]) == ("exec_create: sh -c a b", id)

    play_execs(tmp_path, scenario)


def test_a_user_that_the_container_does_not_know_is_refused_at_once(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.deps.registry.get("web").pid = os.getpid()  # the host's files stand for the container's
        with pytest.raises(errors.InvalidArgument, match="unable to find user no-such-user"):
            await create(world.execs, "web", ExecConfig(cmd=["a"], user="no-such-user"))
        await create(world.execs, "web", ExecConfig(cmd=["a"], user="1:2"))

    play_execs(tmp_path, scenario)
