from pathlib import Path

import msgspec

from fakes.engine import World, asked, play
from sampan.api.wire.host import HostConfig
from sampan.engine.containers.create import create
from sampan.engine.containers.record import MountPoint, Outcome, delete, load, set_wanted


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


def test_what_is_wanted_and_how_it_failed_are_written_beside_the_record(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        database = world.deps.database
        first = await create(world.deps, asked(name="one"))
        second = await create(world.deps, asked(name="two"))
        outcome = Outcome(exit_code=127, error="no such file")
        await database.write(lambda tx: set_wanted(tx, second.id, wanted=True))
        await database.write(lambda tx: set_wanted(tx, first.id, wanted=False, outcome=outcome))
        rows = database.read(load)
        assert [(row.record.name, row.wanted, row.outcome) for row in rows] == [
            ("one", False, outcome),
            ("two", True, None),
        ]
        await database.write(lambda tx: delete(tx, first.id))
        assert [row.record.name for row in database.read(load)] == ["two"]

    play(tmp_path, scenario)


def test_the_rows_are_read_oldest_first_whatever_their_ids(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        names = [f"c{number}" for number in range(6)]
        for name in names:
            await create(world.deps, asked(name=name))
        assert [row.record.name for row in world.deps.database.read(load)] == names

    play(tmp_path, scenario)


def test_a_row_that_older_code_wrote_gets_the_defaults() -> None:
    text = b'{"type":"bind","destination":"/x"}'
    assert msgspec.json.decode(text, type=MountPoint) == MountPoint(type="bind", destination="/x")
