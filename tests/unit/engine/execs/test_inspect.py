from pathlib import Path

import pytest

from fakes.engine import ECHO, World, play_execs
from sampan import errors
from sampan.api.wire.exec import ExecConfig
from sampan.engine.execs.create import create
from sampan.engine.execs.inspect import inspect
from sampan.engine.execs.start import start_detached


def test_an_exec_that_has_not_started_has_neither_pid_nor_exit_code(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        config = ExecConfig(cmd=["sh", "-c"], tty=True, attach_stdin=True, user="0", detach_keys="ctrl-a")
        id = await create(world.execs, "web", config)
        found = await inspect(world.execs, id)
        assert (found.id, found.container_id) == (id, world.deps.registry.get("web").id)
        assert (found.running, found.exit_code, found.pid) == (False, None, 0)
        assert (found.open_stdin, found.open_stdout, found.open_stderr) == (True, False, False)
        process = found.process_config
        assert (process.entrypoint, process.arguments, process.tty, process.user) == ("sh", ["-c"], True, "0")
        assert found.detach_keys == "ctrl-a"

    play_execs(tmp_path, scenario)


def test_a_process_that_ended_a_moment_ago_is_not_running(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        id = await create(world.execs, "web", ECHO)
        await start_detached(world.execs, id)
        assert (await inspect(world.execs, id)).running
        # The shim knows already; the daemon has not been told yet.
        world.launcher.shim.polled[id] = 5
        found = await inspect(world.execs, id)
        assert (found.running, found.exit_code) == (False, 5)

    play_execs(tmp_path, scenario)


def test_an_exec_that_does_not_exist_is_told_in_dockers_words(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(errors.NotFound, match=r"^No such exec instance: x$"):
            await inspect(world.execs, "x")

    play_execs(tmp_path, scenario)
