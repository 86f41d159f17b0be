from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan import errors
from sampan.image.store import ImageStore, ListFilters
from sampan.oci.reference import parse_reference
from support.image_world import World, make


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.close()


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (ListFilters(), ["", "b:1", "me/a:2", "a:1"]),
        (ListFilters(reference=["a"]), ["a:1"]),
        (ListFilters(reference=["a:*", "*/a"]), ["me/a:2", "a:1"]),
        (ListFilters(reference=["[ab]:?"]), ["b:1", "a:1"]),
        (ListFilters(reference=["*"]), ["b:1", "a:1"]),
        (ListFilters(dangling=["true"]), [""]),
        (ListFilters(dangling=["0"]), ["b:1", "me/a:2", "a:1"]),
        (ListFilters(label=["x"]), ["b:1"]),
        (ListFilters(label=["x=y"]), ["b:1"]),
        (ListFilters(label=["x=z"]), []),
        (ListFilters(before=["b:1"]), ["me/a:2", "a:1"]),
        (ListFilters(since=["a:1"], before=["b:1"]), ["me/a:2"]),
        (ListFilters(until=["2001-01-01T00:00:00Z"]), []),
    ],
)
def test_filters_choose_images_newest_first(world: World, filters: ListFilters, names: list[str]) -> None:
    async def use(store: ImageStore) -> None:
        await make(store, "a:1")
        await make(store, "me/a:2")
        await make(store, "b:1", changes=["LABEL x=y"])
        await make(store, "")
        assert [" ".join(image.repo_tags) for image in store.list(filters=filters)] == names

    world.run(use=use)


@pytest.mark.parametrize(
    "filters", [ListFilters(dangling=["x"]), ListFilters(reference=["["]), ListFilters(until=["x"])]
)
def test_a_bad_filter_is_refused(world: World, filters: ListFilters) -> None:
    async def use(store: ImageStore) -> None:
        await make(store, "a:1")
        with pytest.raises(errors.InvalidArgument):
            store.list(filters=filters)

    world.run(use=use)


def test_an_image_is_found_by_each_of_its_names_and_ids(world: World) -> None:
    async def use(store: ImageStore) -> None:
        image = await make(store, "a")
        await store.tag("a", parse_reference("reg.io:5000/b:2"))
        digits = image.id.removeprefix("sha256:")
        digest = image.manifest_digest
        for ref in (
            "a",
            "a:latest",
            "docker.io/library/a",
            "reg.io:5000/b:2",
            image.id,
            digits,
            digits[:12],
            image.id[:15],
            f"a@{digest}",
            f"reg.io:5000/b@{digest}",
            digest,
        ):
            assert store.resolve(ref).id == image.id
        for ref in (f"c@{digest}", "b:2", "a:2"):
            with pytest.raises(errors.NotFound):
                store.resolve(ref)

    world.run(use=use)


@pytest.mark.parametrize(
    ("target", "message"),
    [("sha256:x", "ambiguous tag"), ("a@sha256:" + "12" * 32, "tag with a digest reference")],
)
def test_a_tag_that_would_be_mistaken_is_refused(world: World, target: str, message: str) -> None:
    async def use(store: ImageStore) -> None:
        await make(store, "a")
        with pytest.raises(errors.InvalidArgument, match=message):
            await store.tag("a", parse_reference(target))

    world.run(use=use)


def test_a_damaged_image_hides_no_other_and_nothing_is_collected(world: World) -> None:
    async def break_one(store: ImageStore) -> None:
        await make(store, "good:1")
        bad = await make(store, "bad:1")
        world.content.delete(bad.manifest_digest)

    async def look(store: ImageStore) -> None:
        assert [image.repo_tags for image in store.list()] == [("good:1",)]

    world.run(use=break_one)
    before = world.blobs()
    world.run(use=look)
    assert world.blobs() == before
