import asyncio

import pytest

from sampan import errors
from sampan.image.catalog import Catalog, drop_image, drop_reference, put_image, put_reference
from sampan.image.record import ImageRow, ReferenceRow
from sampan.image.store import ImageStore
from sampan.oci.reference import parse_reference
from support.image_world import World, make

ONE, TWO = "sha256:" + "a1" * 32, "sha256:" + "a2" * 32
NAME = "docker.io/library/box:1"


@pytest.fixture
def catalog(world: World) -> Catalog:
    found = Catalog(world.content, world.snapshots, world.database)
    found.open()
    return found


def rows(catalog: Catalog) -> list[tuple[str, str | None, int]]:
    return [(row.id, row.parent, row.tagged_ns) for row in catalog.rows()]


def test_rows_are_written_merged_and_dropped(catalog: Catalog) -> None:
    async def main() -> None:
        await catalog.write(lambda tx: put_image(tx, ImageRow(ONE, "m", "t")))
        await catalog.write(lambda tx: put_image(tx, ImageRow(TWO, "m", "t", ONE)))
        await catalog.write(lambda tx: put_image(tx, ImageRow(TWO, "m2", "t2")))
        assert rows(catalog) == [(ONE, None, 0), (TWO, ONE, 0)]
        assert (catalog.rows()[1].manifest, catalog.rows()[1].target) == ("m2", "t2")
        assert catalog.children_of(ONE) == [TWO]
        await catalog.write(lambda tx: put_reference(tx, ReferenceRow(NAME, ONE, "t"), now_ns=5))
        assert rows(catalog)[0] == (ONE, None, 5)
        await catalog.write(lambda tx: put_reference(tx, ReferenceRow(NAME, TWO, "t2"), now_ns=6))
        assert catalog.find(parse_reference("box:1")) == TWO
        assert catalog.references_of(ONE) == []
        await catalog.write(lambda tx: drop_reference(tx, NAME))
        assert catalog.references() == []
        await catalog.write(lambda tx: drop_image(tx, ONE))
        assert rows(catalog) == [(TWO, None, 6)]
        await catalog.write(lambda tx: drop_image(tx, TWO))

    asyncio.run(main())


def test_memory_follows_the_database_when_a_write_fails(catalog: Catalog) -> None:
    async def main() -> None:
        def write(tx: object) -> None:
            put_image(tx, ImageRow(ONE, "m", "t"))  # type: ignore[arg-type]
            raise errors.Conflict("mine")

        with pytest.raises(errors.Conflict, match="mine"):
            await catalog.write(write)
        assert ONE not in catalog

    asyncio.run(main())


def test_the_beginning_of_an_id_has_to_be_unambiguous(catalog: Catalog) -> None:
    async def main() -> None:
        for id in (ONE, TWO):
            await catalog.write(lambda tx, id=id: put_image(tx, ImageRow(id, "m", "t")))  # type: ignore[misc]
        assert catalog.search("a1") == catalog.search("sha256:a1") == ONE
        assert [catalog.search(text) for text in ("a", "b", "", "sha256:")] == [None] * 4
        for id in (ONE, TWO):
            await catalog.write(lambda tx, id=id: drop_image(tx, id))  # type: ignore[misc]

    asyncio.run(main())


def test_an_image_is_found_by_all_that_it_is_called(world: World) -> None:
    async def use(store: ImageStore) -> None:
        image = await make(store, "host:5000/box:1")
        texts = (
            "host:5000/box:1",
            image.id,
            image.id[7:],
            image.id[7:19],
            image.id[:19],
            image.manifest_digest,
            f"host:5000/box@{image.manifest_digest}",
        )
        assert {store.resolve(text).id for text in texts} == {image.id}
        for text, shown in (
            ("box:1", "box:1"),
            ("nope", "nope:latest"),
            ("0" * 64, "sha256:" + "0" * 64),
            (f"other@{image.manifest_digest}", f"other@{image.manifest_digest}"),
        ):
            with pytest.raises(errors.NotFound) as caught:
                store.resolve(text)
            assert str(caught.value) == f"No such image: {shown}"
        with pytest.raises(errors.InvalidArgument):
            store.resolve("UPPER")

    world.run(use=use)


def test_a_name_wins_over_the_beginning_of_an_id(world: World) -> None:
    async def use(store: ImageStore) -> None:
        one = await make(store, "one")
        two = await make(store, one.id[7:19])
        assert store.resolve(one.id[7:19]).id == two.id

    world.run(use=use)
