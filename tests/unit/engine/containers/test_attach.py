import asyncio
import os
import socket
from pathlib import Path

from fakes.engine import World, asked, play
from sampan.engine.containers.attach import AttachRequest, attach
from sampan.engine.containers.create import create
from sampan.engine.containers.remove import remove
from sampan.engine.containers.start import start


def test_a_client_that_attaches_before_the_start_is_handed_to_the_launcher(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        await create(deps, asked(name="web", open_stdin=True))
        ours, theirs = socket.socketpair()
        with ours, theirs:
            request = AttachRequest(stream=True, stdin=True, stdout=True)
            session = await attach(deps, "web", request)
            async with asyncio.TaskGroup() as group:
                group.create_task(start(deps, "web"))
                await asyncio.sleep(0)  # the start is under way before the stream arrives
                await session.connect(os.dup(theirs.fileno()), b"early")
            (stream,) = world.launcher.shim.streams
            assert (stream.stdin, stream.stdout, stream.stderr, stream.framed) == (True, True, False, True)
            assert stream.initial == b"early"
            os.close(stream.fd)
            late = await attach(deps, "web", request)
            await late.connect(os.dup(theirs.fileno()))
            assert len(world.launcher.shim.streams) == 2
            os.close(world.launcher.shim.streams[1].fd)

    play(tmp_path, scenario)


def test_a_parked_client_is_hung_up_on_when_the_container_is_removed(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                session = await attach(world.deps, "web", AttachRequest(stream=True, stdout=True))
                await session.connect(os.dup(theirs.fileno()))
            await remove(world.deps, "web")
            assert ours.recv(1) == b""

    play(tmp_path, scenario)
