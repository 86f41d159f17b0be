"""What the API asks for reaches the verbs as it was meant: each method, on the engine of the fakes."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.engine import World, play
from sampan import errors
from sampan.api.server.backend import AttachOptions, LogsOptions, NewContainer
from sampan.api.wire.container import ContainerConfig
from sampan.api.wire.exec import ExecConfig
from sampan.api.wire.host import HostConfig
from sampan.api.wire.network import NetworkingConfig
from sampan.daemon.backend import ContainerBackend, ExecBackend

LOG = (
    b'{"log":"one\\n","stream":"stdout","time":"2026-01-02T03:04:05Z"}\n'
    b'{"log":"two\\n","stream":"stderr","time":"2026-01-02T03:04:06Z"}\n'
    b'{"log":"three\\n","stream":"stdout","time":"2026-01-02T03:04:07Z"}\n'
)
LOGS = LogsOptions(
    stdout=True, stderr=False, follow=False, timestamps=False, details=False, since_ns=None, until_ns=None, tail=None
)


def wanted(name: str, **config: object) -> NewContainer:
    return NewContainer(
        name=name,
        platform="linux/amd64",
        config=ContainerConfig(image="box", **config),  # type: ignore[arg-type]
        host=HostConfig(),
        networking=NetworkingConfig(),
    )


def test_a_container_lives_through_the_backend(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        backend = ContainerBackend(world.deps)
        created = await backend.create(wanted("web", tty=True))
        assert (await backend.inspect(created.id, size=False)).name == "/web"
        waiter = await backend.begin_wait("web", condition="next-exit")
        await backend.start("web")
        await backend.resize("web", height=1, width=2)
        await backend.kill("web", signal="HUP")
        await backend.restart("web", signal="USR1", timeout_s=0)
        assert [shim.signals for shim in world.launcher.shims] == [[1, 10, 9], []]
        assert world.launcher.shims[0].sizes == [(1, 2)]
        assert (await waiter.result()).status_code == 137
        await backend.stop("web", signal="USR2", timeout_s=0)
        assert world.launcher.shim.signals == [12, 9]
        (line,) = await backend.list_(all=True, limit=None, size=False, filters={"name": ["web"]})
        assert line.state == "exited"
        await backend.remove("web", force=False, volumes=True)
        with pytest.raises(errors.NotFound):
            await backend.inspect("web", size=False)

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, b"one\nthree\n"),
        ({"stdout": False, "stderr": True}, b"two\n"),
        ({"tail": 1}, b"three\n"),
        ({"since_ns": 1767323046_000_000_000}, b"three\n"),
        ({"until_ns": 1767323046_000_000_000}, b"one\n"),
        ({"timestamps": True, "tail": 1}, b"2026-01-02T03:04:07.000000000Z three\n"),
    ],
)
def test_a_log_is_cut_as_asked_for(tmp_path: Path, changed: dict[str, object], expected: bytes) -> None:
    async def scenario(world: World) -> None:
        backend = ContainerBackend(world.deps)
        created = await backend.create(wanted("web", tty=True))
        await backend.start("web")
        Path(world.deps.paths.log_path(created.id)).write_bytes(LOG)
        stream = await backend.logs("web", replace(LOGS, **changed))  # type: ignore[arg-type]
        assert b"".join([piece async for piece in stream]) == expected

    play(tmp_path, scenario)


def test_an_attach_gets_its_flags(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        backend = ContainerBackend(world.deps)
        await backend.create(wanted("web", tty=True, open_stdin=True))
        await backend.start("web")
        options = AttachOptions(stdin=True, stdout=False, stderr=True, stream=True, logs=False, detach_keys="ctrl-a")
        session = await backend.attach("web", options)
        await session.connect(os.open(os.devnull, os.O_RDWR), b"early")
        (stream,) = world.launcher.shim.streams
        os.close(stream.fd)
        assert (stream.stdin, stream.stdout, stream.stderr) == (True, False, True)
        assert (stream.detach_keys, stream.initial) == (b"\x01", b"early")

    play(tmp_path, scenario)


def test_an_exec_lives_through_the_backend(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        containers, execs = ContainerBackend(world.deps), ExecBackend(world.execs)
        await containers.create(wanted("web"))
        await containers.start("web")
        id = await execs.create("web", ExecConfig(cmd=["a"], tty=True))
        await execs.start_detached(id)
        await execs.resize(id, height=1, width=2)
        assert world.launcher.shim.sizes == [(1, 2)]
        assert (await execs.inspect(id)).running
        second = await execs.create("web", ExecConfig(cmd=["a"], tty=True))
        async with await execs.start(second, tty=True, console_size=(24, 80)) as session:
            assert session.tty

    play(tmp_path, scenario)
