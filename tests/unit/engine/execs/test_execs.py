"""Execs through their verbs, on a fake shim."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fakes.engine import World, asked, engine
from sampan import errors
from sampan.api.wire.exec import ExecConfig
from sampan.engine.containers import create as containers
from sampan.engine.containers.start import start as start_container
from sampan.engine.execs.create import create
from sampan.engine.execs.inspect import inspect
from sampan.engine.execs.resize import resize
from sampan.engine.execs.start import start, start_detached

ECHO = ExecConfig(cmd=["echo", "a"], attach_stdout=True)


def play(folder: Path, scenario: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(10), engine(str(folder)) as world:
            await containers.create(world.deps, asked(name="web"))
            await start_container(world.deps, "web")
            await scenario(world)

    asyncio.run(main())


def test_a_detached_exec_runs_and_its_exit_code_is_told(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        id = await create(world.execs, "web", ECHO)
        assert (await inspect(world.execs, id)).exit_code is None
        await start_detached(world.execs, id)
        found = await inspect(world.execs, id)
        assert (found.running, found.pid, found.process_config.arguments) == (True, 4343, ["a"])
        assert world.deps.registry.get("web").exec_ids == [id]
        world.launcher.shim.execs[id].set_result(9)
        await world.settled()
        found = await inspect(world.execs, id)
        assert (found.running, found.exit_code) == (False, 9)
        assert world.events.actions[2:] == ["exec_create: echo a", "exec_start: echo a", "exec_die"]
        with pytest.raises(errors.Conflict, match=f"exec command {id} has already run"):
            await start_detached(world.execs, id)
        with pytest.raises(errors.NotFound, match="process does not exist"):
            await resize(world.execs, id, height=1, width=1)

    play(tmp_path, scenario)


def test_a_failure_is_written_into_the_stream_as_docker_does(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        id = await create(world.execs, "web", ECHO)
        world.launcher.start_error = errors.StartFailed('exec: "echo": not found', exit_code=127)
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                session = await start(world.execs, id)
                await session.connect(os.dup(theirs.fileno()))
            text = (
                b'OCI runtime exec failed: exec failed: unable to start container process: exec: "echo": not found\r\n'
            )
            assert ours.recv(4096) == b"\x01\0\0\0\0\0\0" + bytes([len(text)]) + text
            assert ours.recv(1) == b""
        assert (await inspect(world.execs, id)).exit_code == 127

    play(tmp_path, scenario)


def test_a_start_whose_client_went_away_can_be_repeated(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        id = await create(world.execs, "web", ECHO)
        session = await start(world.execs, id)
        with pytest.raises(errors.Conflict, match="already running"):
            await start(world.execs, id)
        session.close()
        await start_detached(world.execs, id)

    play(tmp_path, scenario)


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

    play(tmp_path, scenario)
