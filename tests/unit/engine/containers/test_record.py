from pathlib import Path

from fakes.engine import World, asked, play
from sampan.api.wire.host import HostConfig
from sampan.engine.containers.create import create
from sampan.engine.containers.record import load


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
