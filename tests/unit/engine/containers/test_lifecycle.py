"""Containers through their verbs, on a fake launcher: what happens, in which order, and what a failure leaves."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.engine import World, asked, engine
from sampan import errors
from sampan.api.wire.host import HostConfig
from sampan.engine.containers.attach import AttachRequest, attach
from sampan.engine.containers.create import create
from sampan.engine.containers.inspect import inspect
from sampan.engine.containers.kill import kill
from sampan.engine.containers.record import load
from sampan.engine.containers.remove import remove
from sampan.engine.containers.restart import restart
from sampan.engine.containers.start import start
from sampan.engine.containers.stop import stop
from sampan.engine.containers.wait import begin_wait

Scenario = Callable[[World], Awaitable[Any]]


def play(folder: Path, scenario: Scenario) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(10), engine(str(folder)) as world:
            return await scenario(world)

    return asyncio.run(main())


def test_a_container_is_created_started_waited_for_and_removed(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        created = await create(deps, asked(name="web", labels={"a": "b"}))
        waiter = begin_wait(deps, "web", condition="next-exit")
        await start(deps, "web")
        found = await inspect(deps, "web")
        assert (found.state.status, found.state.pid) == ("running", 4242)
        assert found.network_settings.networks["bridge"].ip_address == "10.84.0.2"  # type: ignore[union-attr]
        world.launcher.shim.end(3)
        assert (await waiter.result()).status_code == 3
        found = await inspect(deps, created.id[:5])
        assert (found.state.status, found.state.exit_code, found.state.pid) == ("exited", 3, 0)
        await remove(deps, "/web")
        assert world.events.actions == ["create", "start", "die", "destroy"]
        die = next(attributes for _, action, _, attributes in world.events.seen if action == "die")
        assert die == {"a": "b", "image": "box", "name": "web", "exitCode": "3", "execDuration": "2"}
        assert not world.networks.endpoints
        assert deps.database.read(load) == []
        while os.listdir(tmp_path / "data" / "containers"):
            await asyncio.sleep(0.001)  # the files go in the background
        assert not deps.snapshotter.snapshots()

    play(tmp_path, scenario)


def test_a_record_survives_the_database(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        host = HostConfig(binds=["/tmp:/x:ro"], memory=100_000_000)
        await create(world.deps, asked(name="web", host=host, env=["A=b"], cmd=["x", "y"]))
        (row,) = world.deps.database.read(load)
        assert row.record == world.deps.registry.get("web").record
        assert row.record.host.memory_swap == 200_000_000
        assert row.record.config.env == ["A=b", "PATH=/bin"]
        assert (row.record.path, row.record.args) == ("x", ["y"])
        assert not row.wanted

    play(tmp_path, scenario)


def test_a_name_in_use_is_refused_in_dockers_words_and_free_again_after_removal(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        first = await create(world.deps, asked(name="web"))
        with pytest.raises(errors.Conflict) as caught:
            await create(world.deps, asked(name="/web"))
        assert str(caught.value) == (
            f'Conflict. The container name "/web" is already in use by container "{first.id}". '
            "You have to remove (or rename) that container to be able to reuse that name."
        )
        await remove(world.deps, first.id)
        await create(world.deps, asked(name="web"))

    play(tmp_path, scenario)


def test_a_refused_creation_gives_back_name_volumes_and_snapshot(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps

        def refuse(*_: object) -> None:
            raise errors.Internal("disk full")

        async def failing_write(fn: object) -> None:
            refuse(fn)

        deps.database.write, write = failing_write, deps.database.write  # type: ignore[method-assign, assignment]
        with pytest.raises(errors.Internal, match="disk full"):
            await create(deps, asked(name="web", volumes={"/data": {}}))
        deps.database.write = write  # type: ignore[method-assign]
        assert not world.volumes.volumes
        assert not deps.snapshotter.snapshots()
        assert len(deps.registry) == 0
        await create(deps, asked(name="web"))

    play(tmp_path, scenario)


@pytest.mark.parametrize("stage", ["launch", "network", "start"])
def test_a_failed_start_leaves_nothing_but_the_reason(tmp_path: Path, stage: str) -> None:
    async def scenario(world: World) -> None:
        deps, launcher = world.deps, world.launcher
        error = errors.StartFailed('exec: "nosuch": executable file not found in $PATH', exit_code=127)
        launcher.launch_error = error if stage == "launch" else None
        launcher.start_error = error if stage == "start" else None
        world.networks.error = errors.Internal("no address") if stage == "network" else None
        await create(deps, asked(name="web"))
        with pytest.raises(errors.Internal) as caught:
            await start(deps, "web")
        if stage == "network":
            assert str(caught.value) == "no address"
        else:
            assert str(caught.value) == (
                "failed to create task for container: failed to create shim task: OCI runtime create failed: runc "
                'create failed: unable to start container process: exec: "nosuch": executable file not found in $PATH'
            )
        found = await inspect(deps, "web")
        assert found.state.status == "created"
        assert found.state.exit_code == (128 if stage == "network" else 127)
        assert found.state.error == str(caught.value)
        assert not world.networks.endpoints
        assert all(shim.is_discarded for shim in launcher.shims)
        assert all(netns.is_closed for netns in launcher.namespaces)
        (row,) = deps.database.read(load)
        assert row.outcome is not None
        assert row.outcome.error == str(caught.value)
        launcher.launch_error = launcher.start_error = world.networks.error = None
        await start(deps, "web")
        assert (await inspect(deps, "web")).state.error == ""

    play(tmp_path, scenario)


def test_with_rm_a_failed_start_removes_the_container(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        world.launcher.start_error = errors.StartFailed("exec format error", exit_code=126)
        await create(world.deps, asked(name="web", host=HostConfig(auto_remove=True)))
        waiter = begin_wait(world.deps, "web", condition="removed")
        with pytest.raises(errors.StartFailed):
            await start(world.deps, "web")
        assert (await waiter.result()).status_code == 126
        assert len(world.deps.registry) == 0

    play(tmp_path, scenario)


def test_with_rm_the_container_goes_with_its_anonymous_volumes_only(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        host = HostConfig(auto_remove=True, binds=["named:/n"])
        await create(world.deps, asked(name="web", host=host, volumes={"/a": {}}))
        assert len(world.volumes.volumes) == 2
        waiter = begin_wait(world.deps, "web", condition="removed")
        await start(world.deps, "web")
        world.launcher.shim.end(5)
        assert (await waiter.result()).status_code == 5
        assert list(world.volumes.volumes) == ["named"]
        assert world.events.actions == ["create", "start", "die", "destroy"]

    play(tmp_path, scenario)


def test_waits_end_at_their_condition(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        await create(deps, asked(name="web"))
        assert (await begin_wait(deps, "web").result()).status_code == 0
        with pytest.raises(errors.InvalidArgument, match='invalid condition: "foo"'):
            begin_wait(deps, "web", condition="foo")
        next_exit = begin_wait(deps, "web", condition="next-exit")
        removed = begin_wait(deps, "web", condition="removed")
        await start(deps, "web")
        not_running = begin_wait(deps, "web")
        world.launcher.shim.end(7)
        assert (await next_exit.result()).status_code == 7
        assert (await not_running.result()).status_code == 7
        await remove(deps, "web")
        assert (await removed.result()).status_code == 7

    play(tmp_path, scenario)


def test_stop_sends_the_stop_signal_and_kills_what_ignores_it(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        await create(deps, asked(name="web", stop_signal="SIGUSR1", stop_timeout=0))
        with pytest.raises(errors.NotModified):
            await stop(deps, "web")
        await start(deps, "web")
        await stop(deps, "web")
        assert world.launcher.shim.signals == [10, 9]
        assert (await inspect(deps, "web")).state.exit_code == 137
        assert world.events.actions == ["create", "start", "kill", "kill", "die", "stop"]

    play(tmp_path, scenario)


def test_kill_wants_a_running_container_and_a_real_signal(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        created = await create(deps, asked(name="web"))
        with pytest.raises(errors.Conflict) as caught:
            await kill(deps, "web")
        assert str(caught.value) == f"cannot kill container: web: container {created.id} is not running"
        await start(deps, "web")
        with pytest.raises(errors.InvalidArgument, match="cannot kill container: web: invalid signal: FOO"):
            await kill(deps, "web", signal="FOO")
        with pytest.raises(errors.NotFound, match="cannot kill container: x: No such container: x"):
            await kill(deps, "x")
        await kill(deps, "web", signal="usr1")
        assert world.launcher.shim.signals == [10]
        await kill(deps, "web")
        assert (await inspect(deps, "web")).state.status == "exited"

    play(tmp_path, scenario)


def test_restart_starts_a_stopped_container_and_keeps_one_with_rm(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        await create(deps, asked(name="web", host=HostConfig(auto_remove=True)))
        await start(deps, "web")
        await restart(deps, "web")
        assert len(world.launcher.shims) == 2
        assert (await inspect(deps, "web")).state.status == "running"
        assert world.events.actions == ["create", "start", "kill", "die", "stop", "start", "restart"]

    play(tmp_path, scenario)


def test_a_running_container_is_removed_only_by_force(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        await create(deps, asked(name="web"))
        await start(deps, "web")
        with pytest.raises(errors.Conflict) as caught:
            await remove(deps, "web")
        assert str(caught.value) == (
            'cannot remove container "web": container is running: stop the container before removing or force remove'
        )
        await remove(deps, "web", force=True)
        with pytest.raises(errors.NotFound, match="No such container: web"):
            await remove(deps, "web")

    play(tmp_path, scenario)


def test_starting_twice_is_not_modified(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        with pytest.raises(errors.NotModified):
            await start(world.deps, "web")
        assert len(world.launcher.shims) == 1

    play(tmp_path, scenario)


def test_concurrent_verbs_on_one_container_end_in_a_consistent_state(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        await create(deps, asked(name="web"))

        async def attempt(verb: Awaitable[None]) -> None:
            try:
                await verb
            except errors.Error:
                pass

        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(attempt(start(deps, "web")))
                group.create_task(attempt(stop(deps, "web")))
                group.create_task(attempt(restart(deps, "web")))
                group.create_task(attempt(kill(deps, "web")))
        running = [shim for shim in world.launcher.shims if not shim.exit.done()]
        container = deps.registry.get("web")
        assert ([container.shim] if container.is_running else []) == running
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(attempt(remove(deps, "web", force=True)))
                group.create_task(attempt(start(deps, "web")))
        assert deps.registry.find("web") is None
        assert not world.networks.endpoints
        assert all(shim.exit.done() or shim.is_discarded for shim in world.launcher.shims)
        assert len(deps.locks) == 0

    play(tmp_path, scenario)


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


def test_an_image_of_another_platform_counts_as_absent(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        request = replace(asked(name="web"), platform="linux/arm64")
        with pytest.raises(errors.NotFound) as caught:
            await create(world.deps, request)
        assert str(caught.value) == (
            "image with reference box was found but its platform (linux/amd64) does not match the specified platform "
            "(linux/arm64)"
        )
        await create(world.deps, replace(request, platform="linux/amd64"))

    play(tmp_path, scenario)


def test_a_container_whose_end_cannot_be_learnt_is_not_left_running(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        waiter = begin_wait(world.deps, "web", condition="next-exit")
        await start(world.deps, "web")
        world.launcher.shim.exit.set_exception(errors.Internal("helper was killed"))
        assert (await waiter.result()).status_code == 255
        assert (await inspect(world.deps, "web")).state.error == "helper was killed"
        assert not world.networks.endpoints

    play(tmp_path, scenario)
