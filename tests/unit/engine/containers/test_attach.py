import asyncio
import os
import socket
from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan import errors
from sampan.engine.containers.attach import DEFAULT_DETACH_KEYS, AttachRequest, attach, parse_detach_keys
from sampan.engine.containers.create import create
from sampan.engine.containers.remove import remove
from sampan.engine.containers.start import start
from sampan.engine.containers.states import State


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


@pytest.mark.parametrize(
    ("text", "keys"),
    [("ctrl-p,ctrl-q", b"\x10\x11"), ("a", b"a"), ("ctrl-@,ctrl-[,ctrl-_", b"\x00\x1b\x1f"), (" ,Z", b" Z")],
)
def test_detach_keys_are_single_characters_or_control_ones(text: str, keys: bytes) -> None:
    assert parse_detach_keys(text) == keys


@pytest.mark.parametrize("text", ["", "ctrl-", "ctrl-A", "ctrl-pp", "ab", "a,,b", "ctrl-1", "é"])
def test_other_detach_keys_are_refused(text: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        parse_detach_keys(text)
    assert str(caught.value) == f"Invalid detach keys ({text}) provided"


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (State.PAUSED, "container web is paused, unpause the container before attach"),
        (State.RESTARTING, "container web is restarting, wait until the container is running"),
    ],
)
def test_some_states_cannot_be_attached_to(tmp_path: Path, state: State, message: str) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        world.deps.registry.get("web").state = state
        with pytest.raises(errors.Conflict) as caught:
            await attach(world.deps, "web", AttachRequest(stream=True))
        assert str(caught.value) == message

    play(tmp_path, scenario)


def test_a_terminal_has_detach_keys_and_no_frames(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web", tty=True))
        await start(world.deps, "web")
        for keys in ("", "ctrl-x"):
            session = await attach(world.deps, "web", AttachRequest(stream=True, stdin=True, detach_keys=keys))
            assert session.tty
            await session.connect(os.open(os.devnull, os.O_RDONLY))
        found = world.launcher.shim.streams
        assert [stream.detach_keys for stream in found] == [DEFAULT_DETACH_KEYS, b"\x18"]
        # The container's stdin is closed, whatever the client wishes.
        assert [(stream.framed, stream.stdin) for stream in found] == [(False, False)] * 2
        for stream in found:
            os.close(stream.fd)

    play(tmp_path, scenario)


def test_a_client_that_only_asks_for_the_log_gets_it_and_is_hung_up_on(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        created = await create(world.deps, asked(name="web", tty=True))
        await start(world.deps, "web")
        line = b'{"log":"hello\\n","stream":"stdout","time":"2026-01-02T03:04:05Z"}\n'
        Path(world.deps.paths.log_path(created.id)).write_bytes(line)
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                session = await attach(world.deps, "web", AttachRequest(logs=True, stdout=True))
                await session.connect(os.dup(theirs.fileno()))
            assert ours.recv(100) == b"hello\n"
            assert ours.recv(100) == b""
        assert world.launcher.shim.streams == []

    play(tmp_path, scenario)


def test_a_client_that_never_comes_does_not_hold_the_start_up(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        async with await attach(world.deps, "web", AttachRequest(stream=True)):
            assert world.deps.registry.get("web").connecting
        assert not world.deps.registry.get("web").connecting
        await start(world.deps, "web")

    play(tmp_path, scenario)
