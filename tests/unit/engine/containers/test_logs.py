from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan import errors
from sampan.api.wire.host import HostConfig, LogConfig
from sampan.engine.containers.create import create
from sampan.engine.containers.logs import logs
from sampan.engine.containers.start import start
from sampan.engine.logs import LogsRequest

LINE = b'{"log":"hello\\n","stream":"stdout","time":"2026-01-02T03:04:05Z"}\n'


def test_a_log_is_framed_unless_the_container_has_a_terminal(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        for name, tty, expected in (("web", False, b"\x01\0\0\0\0\0\0\x06hello\n"), ("term", True, b"hello\n")):
            created = await create(world.deps, asked(name=name, tty=tty))
            await start(world.deps, name)
            Path(world.deps.paths.log_path(created.id)).write_bytes(LINE)
            stream = await logs(world.deps, name, LogsRequest(stdout=True))
            assert stream.tty is tty
            assert b"".join([piece async for piece in stream]) == expected

    play(tmp_path, scenario)


def test_a_followed_log_ends_with_the_container(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        created = await create(world.deps, asked(name="web", tty=True))
        await start(world.deps, "web")
        Path(world.deps.paths.log_path(created.id)).write_bytes(LINE)
        found = []
        async for piece in await logs(world.deps, "web", LogsRequest(stdout=True, follow=True)):
            found.append(piece)
            world.launcher.shim.end(0)
        assert found == [b"hello\n"]
        assert not any(world.deps.registry.get("web").waiters.values())

    play(tmp_path, scenario)


def test_a_container_that_never_ran_has_an_empty_log(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        assert [piece async for piece in await logs(world.deps, "web", LogsRequest(stdout=True))] == []

    play(tmp_path, scenario)


def test_a_wrong_request_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await create(world.deps, asked(name="mute", host=HostConfig(log_config=LogConfig(type="none"))))
        with pytest.raises(errors.InvalidArgument, match="Bad parameters: you must choose at least one stream"):
            await logs(world.deps, "web", LogsRequest(stdout=False, stderr=False))
        with pytest.raises(errors.Unimplemented, match="configured logging driver does not support reading"):
            await logs(world.deps, "mute", LogsRequest(stdout=True))
        with pytest.raises(errors.NotFound, match="No such container: x"):
            await logs(world.deps, "x", LogsRequest(stdout=True))

    play(tmp_path, scenario)
