from dataclasses import replace
from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan import errors
from sampan.api.wire.host import HostConfig
from sampan.api.wire.mount import Mount
from sampan.engine.containers.create import create
from sampan.engine.containers.inspect import inspect
from sampan.engine.containers.record import load
from sampan.engine.containers.start import start
from sampan.engine.containers.states import State
from sampan.engine.containers.wait import begin_wait
from sampan.engine.idmapping import IdMapping
from sampan.engine.runtimes import Runtime, Runtimes


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


def test_another_runtime_is_named_to_the_shim_and_ours_is_not(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        program = tmp_path / "crun"
        program.write_text("")
        program.chmod(0o755)
        runtimes = Runtimes({"crun": Runtime(str(program), ("--x",)), "gone": Runtime("/nonexistent")})
        deps = replace(world.deps, runtimes=runtimes)
        for name, wanted in (("c1", "crun"), ("c2", "sampan"), ("c3", "gone")):
            await create(deps, asked(name=name, host=HostConfig(runtime=wanted, init=wanted == "sampan")))
        await start(deps, "c1")
        assert world.launcher.shim.request.runtime == {"path": str(program), "args": ["--x"]}
        await start(deps, "c2")
        assert world.launcher.shim.request.runtime is None
        with pytest.raises(errors.StartFailed, match="OCI runtime create failed: exec: ") as caught:
            await start(deps, "c3")
        assert str(caught.value).count("failed to create task") == 1
        assert (await inspect(deps, "c3")).state.exit_code == 127

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


def test_starting_twice_is_not_modified(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        with pytest.raises(errors.NotModified):
            await start(world.deps, "web")
        assert len(world.launcher.shims) == 1

    play(tmp_path, scenario)


def test_a_start_is_announced_with_its_network_and_volumes(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web", host=HostConfig(binds=["vol:/v:ro"])))
        world.events.seen.clear()
        await start(world.deps, "web")
        assert [(type, action) for type, action, _, _ in world.events.seen] == [
            ("volume", "mount"),
            ("network", "connect"),
            ("container", "start"),
        ]
        mount = world.events.seen[0][3]
        assert (mount["destination"], mount["read/write"], mount["driver"]) == ("/v", "false", "local")

    play(tmp_path, scenario)


def test_on_the_hosts_network_no_namespace_is_made(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web", host=HostConfig(network_mode="host")))
        await start(world.deps, "web")
        assert world.launcher.namespaces == []

    play(tmp_path, scenario)


def test_a_namespace_is_let_go_of_once_the_container_runs(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        assert [netns.is_closed for netns in world.launcher.namespaces] == [True]

    play(tmp_path, scenario)


def test_the_launcher_is_told_what_the_container_asked_for(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(
            world.deps,
            asked(name="web", tty=True, open_stdin=True, user="web", host=HostConfig(group_add=["audio"])),
        )
        await start(world.deps, "web")
        request, deps = world.launcher.shim.request, world.deps
        id = deps.registry.get("web").id
        assert (request.tty, request.open_stdin, request.stdin_once) == (True, True, False)
        assert (request.user, request.groups) == ("web", ["audio"])
        assert (request.exec_dir, request.exit_path) == (deps.paths.exec_dir(id), deps.paths.exit_path(id))
        assert request.log["path"] == deps.paths.log_path(id)
        assert request.rootfs == deps.snapshotter.mounts(id)

    play(tmp_path, scenario)


def test_a_bind_makes_its_source_but_a_mount_wants_it(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        made, missing = tmp_path / "made" / "deep", tmp_path / "missing"
        await create(world.deps, asked(name="web", host=HostConfig(binds=[f"{made}:/x"])))
        await start(world.deps, "web")
        assert made.is_dir()
        missing.mkdir()
        mount = Mount(type="bind", source=str(missing), target="/x")
        await create(world.deps, asked(name="strict", host=HostConfig(mounts=[mount])))
        missing.rmdir()
        with pytest.raises(errors.InvalidArgument) as caught:
            await start(world.deps, "strict")
        assert str(caught.value) == (
            f'invalid mount config for type "bind": bind source path does not exist: {missing}'
        )

    play(tmp_path, scenario)


def test_a_source_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        (tmp_path / "file").touch()
        path = tmp_path / "file" / "x"
        await create(world.deps, asked(name="web", host=HostConfig(binds=[f"{path}:/x"])))
        with pytest.raises(errors.InvalidArgument) as caught:
            await start(world.deps, "web")
        assert str(caught.value) == f"error while creating mount source path '{path}': mkdir {path}: not a directory"

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (State.PAUSED, "cannot start a paused container, try unpause instead"),
        (State.REMOVING, "container is marked for removal and cannot be started"),
        (State.DEAD, "container is marked for removal and cannot be started"),
    ],
)
def test_some_states_cannot_be_started_from(tmp_path: Path, state: State, message: str) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        world.deps.registry.get("web").state = state
        with pytest.raises(errors.Conflict) as caught:
            await start(world.deps, "web")
        assert str(caught.value) == message
        assert world.launcher.shims == []

    play(tmp_path, scenario)


def test_a_second_start_forgets_the_exit_record_of_the_first_run(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        created = await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        path = Path(world.deps.paths.exit_path(created.id))
        path.write_text("{}")
        world.launcher.shim.end(1)
        await begin_wait(world.deps, "web").result()
        await start(world.deps, "web")
        assert not path.exists()

    play(tmp_path, scenario)


MAPPING = IdMapping.of_ranges([(100000, 65536)], [(200000, 65536)])


def test_a_remapped_container_is_launched_with_its_mapping_everywhere(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = replace(world.deps, host=replace(world.deps.host, id_mapping=MAPPING))
        await create(deps, asked(name="web"))
        await start(deps, "web")
        request = world.launcher.shim.request
        assert world.launcher.namespaces[0].mapping == MAPPING
        assert request.rootfs[0].options[-1] == "x-sampan.idmap=uids=0-100000-65536;gids=0-200000-65536"
        assert {"type": "user"} in request.spec["linux"]["namespaces"]
        assert request.shim_part()["stdio_owner"] == [100000, 200000]

    play(tmp_path, scenario)


def test_a_container_in_the_hosts_user_namespace_is_launched_as_ever(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = replace(world.deps, host=replace(world.deps.host, id_mapping=MAPPING))
        await create(deps, asked(name="web", host=HostConfig(userns_mode="host")))
        await start(deps, "web")
        request = world.launcher.shim.request
        assert world.launcher.namespaces[0].mapping is None and request.shim_part()["stdio_owner"] is None
        assert not [word for mount in request.rootfs for word in mount.options if "idmap" in word]

    play(tmp_path, scenario)


def test_what_was_made_before_the_daemon_remapped_is_looked_at_again(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web", host=HostConfig(privileged=True)))
        deps = replace(world.deps, host=replace(world.deps.host, id_mapping=MAPPING))
        with pytest.raises(errors.InvalidArgument, match="privileged mode is incompatible"):
            await start(deps, "web")
        await start(world.deps, "web")

    play(tmp_path, scenario)
