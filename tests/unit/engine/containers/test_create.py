import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.engine import World, asked, play
from sampan import errors
from sampan.api.wire.container import ContainerConfig
from sampan.api.wire.host import HostConfig, RestartPolicy
from sampan.api.wire.network import EndpointSettings, NetworkingConfig
from sampan.engine.containers.create import CreateRequest, create
from sampan.engine.containers.remove import remove
from sampan.engine.idmapping import IdMapping
from sampan.engine.runtimes import Runtime, Runtimes
from sampan.oci.image import RunConfig


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


def test_the_runtime_is_one_that_the_daemon_knows_or_its_default(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = replace(world.deps, runtimes=Runtimes({"crun": Runtime("/usr/bin/crun")}, default="crun"))
        for name, wanted, found in (("c1", "", "crun"), ("c2", "sampan", "sampan"), ("c3", "runc", "runc")):
            await create(deps, asked(name=name, host=HostConfig(runtime=wanted)))
            assert deps.registry.get(name).record.host.runtime == found
        with pytest.raises(errors.InvalidArgument, match="unknown or invalid runtime name: nosuch"):
            await create(deps, asked(name="c4", host=HostConfig(runtime="nosuch")))

    play(tmp_path, scenario)


def test_a_request_is_filled_up_with_dockers_defaults(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        created = await create(world.deps, asked(name="web"))
        record = world.deps.registry.get("web").record
        assert created.warnings == []
        assert record.config.hostname == created.id[:12]
        host = record.host
        assert (host.network_mode, host.ipc_mode, host.cgroupns_mode, host.runtime) == (
            "bridge",
            "private",
            "private",
            "sampan",
        )
        assert (host.shm_size, host.memory_swap, host.pids_limit) == (64 << 20, 0, None)
        assert (host.log_config.type, host.log_config.config) == ("json-file", {})
        assert host.restart_policy.name == "no"
        assert host.oom_kill_disable is False
        assert list(record.networking.endpoints_config or {}) == ["bridge"]

    play(tmp_path, scenario)


def test_what_was_asked_for_is_kept(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        host = HostConfig(shm_size=1 << 20, memory=8 << 20, memory_swap=-1, pids_limit=7, network_mode="none")
        await create(world.deps, asked(name="web", host=host, hostname="h"))
        record = world.deps.registry.get("web").record
        assert (record.host.shm_size, record.host.memory_swap, record.host.pids_limit) == (1 << 20, -1, 7)
        assert record.config.hostname == "h"
        assert list(record.networking.endpoints_config or {}) == ["none"]

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    "host",
    [HostConfig(privileged=True), HostConfig(pid_mode="host"), HostConfig(ipc_mode="host")],
    ids=["privileged", "pid", "ipc"],
)
def test_what_shares_with_the_host_has_no_label_of_its_own(tmp_path: Path, host: HostConfig) -> None:
    async def scenario(world: World) -> None:
        created = await create(world.deps, replace(asked(name="web"), host=host))
        assert world.deps.registry.get(created.id).record.host.security_opt == ["label=disable"]

    play(tmp_path, scenario)


def test_a_container_on_the_hosts_network_has_the_hosts_name(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web", host=HostConfig(network_mode="host")))
        assert world.deps.registry.get("web").record.config.hostname == os.uname().nodename

    play(tmp_path, scenario)


def test_the_settings_of_the_default_network_follow_its_real_name(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        settings = EndpointSettings(aliases=["a"])
        networking = NetworkingConfig(endpoints_config={"default": settings})
        await create(world.deps, asked(name="web", networking=networking))
        assert world.deps.registry.get("web").record.networking.endpoints_config == {"bridge": settings}

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            CreateRequest(ContainerConfig(), HostConfig(), NetworkingConfig()),
            "config cannot be empty in order to create a container",
        ),
        (
            asked(name="-x"),
            "Invalid container name (-x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
        ),
        (asked(name="x"), "Invalid container name (x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
        (asked(host=HostConfig(memory=1000)), "Minimum memory limit allowed is 6MB"),
        (asked(env=["=x"]), "invalid environment variable: =x"),
        (asked(host=HostConfig(volumes_from=["nosuch"])), "No such container: nosuch"),
        (asked(image="nosuch"), "No such image: nosuch:latest"),
    ],
)
def test_a_wrong_request_is_refused_and_takes_no_name(tmp_path: Path, request_: CreateRequest, message: str) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(errors.Error) as caught:
            await create(world.deps, request_)
        assert str(caught.value) == message
        assert not world.deps.registry.names()
        assert not world.events.seen

    play(tmp_path, scenario)


def test_an_image_without_a_command_wants_one(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(errors.InvalidArgument, match="no command specified"):
            await create(world.deps, asked())
        await create(world.deps, asked(cmd=["true"]))

    play(tmp_path, scenario, image=RunConfig())


@pytest.mark.parametrize(
    ("host", "warning"),
    [
        (
            HostConfig(network_mode="host", port_bindings={"80/tcp": None}),
            "Published ports are discarded when using host network mode",
        ),
        (
            HostConfig(restart_policy=RestartPolicy(name="always")),
            "Restart policy always is recorded, but not applied by this version.",
        ),
        (
            HostConfig(kernel_memory=8 << 20),
            "Specifying a kernel memory limit is deprecated and will be removed in a future release.",
        ),
    ],
)
def test_what_has_no_effect_is_warned_of(tmp_path: Path, host: HostConfig, warning: str) -> None:
    async def scenario(world: World) -> None:
        assert (await create(world.deps, asked(host=host))).warnings == [warning]

    play(tmp_path, scenario)


def test_a_nameless_container_gets_a_name_of_its_own(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        for _ in range(3):
            await create(world.deps, asked())
        names = world.deps.registry.names()
        assert len(names) == 3
        assert all("_" in name for name in names)

    play(tmp_path, scenario)


def test_volumes_from_takes_the_mounts_of_another_container_over(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps
        await create(deps, asked(name="store", volumes={"/data": {}}, host=HostConfig(binds=["/tmp:/t", "named:/n"])))
        await create(deps, asked(name="reader", host=HostConfig(volumes_from=["store:ro"])))
        theirs = {mount.destination: mount for mount in deps.registry.get("store").record.mounts}
        ours = {mount.destination: mount for mount in deps.registry.get("reader").record.mounts}
        assert set(ours) == {"/data", "/t", "/n"}
        for destination, mount in ours.items():
            assert (mount.source, mount.name) == (theirs[destination].source, theirs[destination].name)
            assert not mount.read_write
        assert len(world.volumes.volumes) == 2
        with pytest.raises(errors.InvalidArgument, match="invalid mode: foo"):
            await create(deps, asked(host=HostConfig(volumes_from=["store:foo"])))

    play(tmp_path, scenario)


def test_a_volume_is_announced_when_it_is_new(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        for name in ("one", "two"):
            await create(world.deps, asked(name=name, host=HostConfig(binds=["vol:/v"])))
        assert [(type, action, id) for type, action, id, _ in world.events.seen if type == "volume"] == [
            ("volume", "create", "vol")
        ]

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"privileged": True}, "privileged mode is incompatible with user namespaces."),
        ({"network_mode": "host"}, "cannot share the host's network namespace when user namespaces are enabled"),
        ({"pid_mode": "host"}, "cannot share the host PID namespace when user namespaces are enabled"),
    ],
)
def test_a_remapped_container_cannot_have_what_is_the_hosts(tmp_path: Path, fields: dict[str, Any], text: str) -> None:
    async def scenario(world: World) -> None:
        mapping = IdMapping.of_ranges([(100000, 65536)], [(100000, 65536)])
        deps = replace(world.deps, host=replace(world.deps.host, id_mapping=mapping))
        with pytest.raises(errors.InvalidArgument) as caught:
            await create(deps, asked(host=HostConfig(**fields)))
        assert str(caught.value).startswith(text)
        await create(deps, asked(host=HostConfig(userns_mode="host", **fields)))
        await create(world.deps, asked(host=HostConfig(**fields)))

    play(tmp_path, scenario)
