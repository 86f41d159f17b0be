import os
from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan.api.wire.host import HostConfig, LogConfig
from sampan.engine.containers.create import create
from sampan.engine.containers.inspect import inspect, state_of
from sampan.engine.containers.record import Outcome
from sampan.engine.containers.start import start
from sampan.engine.containers.states import State
from sampan.engine.spec import DEFAULT_MASKED_PATHS


def test_a_container_that_never_ran_has_no_files_addresses_or_dates(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        created = await create(world.deps, asked(name="web", cmd=["sleep", "1"]))
        found = await inspect(world.deps, "web")
        assert (found.id, found.name, found.path, found.args) == (created.id, "/web", "sleep", ["1"])
        assert (found.log_path, found.hosts_path, found.hostname_path, found.resolv_conf_path) == ("", "", "", "")
        assert found.state.started_at == found.state.finished_at == "0001-01-01T00:00:00Z"
        assert found.network_settings.ip_address == ""
        assert (found.size_rw, found.exec_ids) == (None, None)

    play(tmp_path, scenario)


def test_a_running_container_has_its_files_and_addresses(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        created = await create(world.deps, asked(name="web"))
        await start(world.deps, "web")
        found = await inspect(world.deps, "web")
        assert found.log_path == world.deps.paths.log_path(created.id)
        for path in (found.hosts_path, found.hostname_path, found.resolv_conf_path):
            assert os.path.exists(path)
        settings = found.network_settings
        assert (settings.ip_address, settings.ip_prefix_len, settings.gateway) == ("10.84.0.2", 24, "10.84.0.1")
        assert settings.sandbox_key == "/proc/4242/ns/net"

    play(tmp_path, scenario)


def test_the_overlays_directories_are_absolute(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        created = await create(world.deps, asked(name="web"))
        data = (await inspect(world.deps, "web")).graph_driver.data
        assert data["ID"] == created.id
        for name in ("LowerDir", "UpperDir", "WorkDir"):
            assert data[name].startswith(str(tmp_path))
            assert all(os.path.isdir(path) for path in data[name].split(":"))

    play(tmp_path, scenario)


def test_sizes_are_those_of_the_files_when_asked_for(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        created = await create(world.deps, asked(name="web"))
        upper = (await inspect(world.deps, "web")).graph_driver.data["UpperDir"]
        Path(upper, "file").write_bytes(b"x" * 1000)
        found = await inspect(world.deps, created.id, size=True)
        assert (found.size_rw, found.size_root_fs) == (1000, 1000)

    play(tmp_path, scenario)


def test_the_paths_hidden_by_default_are_spelled_out_but_not_of_a_privileged_one(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        await create(world.deps, asked(name="own", host=HostConfig(masked_paths=["/x"])))
        await create(world.deps, asked(name="free", host=HostConfig(privileged=True)))
        found = [(await inspect(world.deps, name)).host_config.masked_paths for name in ("web", "own", "free")]
        assert found == [list(DEFAULT_MASKED_PATHS), ["/x"], None]

    play(tmp_path, scenario)


def test_without_a_log_file_there_is_no_path_of_it(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web", host=HostConfig(log_config=LogConfig(type="none"))))
        await start(world.deps, "web")
        assert (await inspect(world.deps, "web")).log_path == ""

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("state", "flags"),
    [
        (State.CREATED, ""),
        (State.RUNNING, "running"),
        (State.PAUSED, "running paused"),
        (State.RESTARTING, "running restarting"),
        (State.EXITED, ""),
        (State.DEAD, "dead"),
    ],
)
def test_the_flags_follow_the_state(tmp_path: Path, state: State, flags: str) -> None:
    async def scenario(world: World) -> None:
        await create(world.deps, asked(name="web"))
        container = world.deps.registry.get("web")
        container.recovered(state, Outcome(exit_code=3, error="e", started_at_ns=1_000_000_000, finished_at_ns=0))
        found = state_of(container)
        names = ("running", "paused", "restarting", "dead")
        assert [name for name in names if getattr(found, name)] == flags.split()
        assert (found.status, found.exit_code, found.error) == (state.value, 3, "e")
        assert found.started_at == "1970-01-01T00:00:01Z"
        container.state = State.EXITED

    play(tmp_path, scenario)


def test_the_apparmor_profile_that_was_asked_for_is_told(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        asked_for = HostConfig(security_opt=["apparmor=mine"])
        created = await create(world.deps, asked(name="web", host=asked_for))
        assert (await inspect(world.deps, created.id)).app_armor_profile == "mine"
        plain = await create(world.deps, asked(name="plain"))
        assert (await inspect(world.deps, plain.id)).app_armor_profile == ""

    play(tmp_path, scenario)
