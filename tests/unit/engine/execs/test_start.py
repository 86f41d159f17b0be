import os
import socket
from pathlib import Path

import pytest

from fakes.engine import ECHO, World, asked, play_execs
from sampan import errors
from sampan.api.wire.exec import ExecConfig
from sampan.engine.containers import create as containers
from sampan.engine.containers.start import start as start_container
from sampan.engine.execs.create import create
from sampan.engine.execs.inspect import inspect
from sampan.engine.execs.resize import resize
from sampan.engine.execs.start import start, start_detached


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

    play_execs(tmp_path, scenario)


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

    play_execs(tmp_path, scenario)


def test_a_start_whose_client_went_away_can_be_repeated(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        id = await create(world.execs, "web", ECHO)
        session = await start(world.execs, id)
        with pytest.raises(errors.Conflict, match="already running"):
            await start(world.execs, id)
        session.close()
        await start_detached(world.execs, id)

    play_execs(tmp_path, scenario)


def test_a_client_gets_the_stream_that_its_exec_asked_for(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        id = await create(world.execs, "web", ExecConfig(cmd=["sh"], tty=True, attach_stdin=True, detach_keys="ctrl-a"))
        async with await start(world.execs, id, tty=True, console_size=(24, 80)) as session:
            assert session.tty
            await session.connect(os.open(os.devnull, os.O_RDWR), b"early")
        request = world.launcher.shim.exec_requests[id]
        stream = request.stream
        assert stream is not None
        assert (stream.stdin, stream.stdout, stream.framed) == (True, False, False)
        assert (stream.detach_keys, stream.initial) == (b"\x01", b"early")
        assert request.process["consoleSize"] == {"height": 24, "width": 80}

    play_execs(tmp_path, scenario)


def test_an_exec_runs_as_the_containers_user_unless_told_otherwise(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        for user, expected in (("", "web:web"), ("0", "0")):
            id = await create(world.execs, "other", ExecConfig(cmd=["id"], user=user))
            await start_detached(world.execs, id)
            assert world.launcher.shim.exec_requests[id].user == expected

    async def with_other(world: World) -> None:
        await containers.create(world.deps, asked(name="other", user="web:web"))
        await start_container(world.deps, "other")
        await scenario(world)

    play_execs(tmp_path, with_other)


def test_a_container_that_ended_between_creation_and_start_is_told(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        id = await create(world.execs, "web", ECHO)
        world.launcher.shim.end(0)
        await world.settled()
        with pytest.raises(errors.Conflict, match="is not running"):
            await start_detached(world.execs, id)

    play_execs(tmp_path, scenario)


def test_a_failure_without_an_exit_code_counts_as_not_executable(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        id = await create(world.execs, "web", ECHO)
        world.launcher.start_error = errors.Internal("shim is gone")
        with pytest.raises(errors.Internal, match=r"^shim is gone$"):
            await start_detached(world.execs, id)
        assert (await inspect(world.execs, id)).exit_code == 126

    play_execs(tmp_path, scenario)


def test_another_runtimes_words_are_framed_once(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        id = await create(world.execs, "web", ECHO)
        world.launcher.start_error = errors.StartFailed("OCI runtime exec failed: no such thing", exit_code=127)
        with pytest.raises(errors.StartFailed, match=r"^OCI runtime exec failed: no such thing$"):
            await start_detached(world.execs, id)

    play_execs(tmp_path, scenario)


def test_the_end_of_a_shim_ends_its_execs(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        id = await create(world.execs, "web", ECHO)
        await start_detached(world.execs, id)
        world.launcher.shim.execs[id].set_exception(errors.Unavailable("shim is gone"))
        await world.settled()
        assert (await inspect(world.execs, id)).exit_code == 137
        assert world.events.actions[-1] == "exec_die"

    play_execs(tmp_path, scenario)
