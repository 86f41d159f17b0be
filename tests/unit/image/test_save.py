import json

import pytest

from sampan import errors
from sampan.image.store import ImageStore
from sampan.oci.digest import digest_of
from sampan.oci.reference import parse_reference
from support.image_world import LAYERS, World, collect, docker_archive, files_of, load, make, oci_layout, tar_of


def test_an_oci_layout_keeps_every_byte_through_load_and_save(world: World) -> None:
    files = oci_layout(LAYERS, "docker.io/library/a:1")
    load(world, tar_of(files))

    async def use(store: ImageStore) -> dict[str, bytes]:
        return files_of(b"".join(await collect(store.save(["a:1"]))))

    saved = world.run(use=use)
    blobs = {name: content for name, content in files.items() if name.startswith("blobs/")}
    assert {name: content for name, content in saved.items() if name.startswith("blobs/")} == blobs
    assert json.loads(saved["index.json"])["manifests"][0]["digest"] in {
        digest_of(content) for content in blobs.values()
    }


def test_saving_is_deterministic_and_loads_again(world: World) -> None:
    load(world, tar_of(docker_archive(LAYERS, ["a:1", "b:2"])))

    async def save(store: ImageStore) -> bytes:
        return b"".join(await collect(store.save(["a:1", "b"])))

    saved = world.run(use=save)
    assert saved == world.run(use=save)

    async def remove_all(store: ImageStore) -> None:
        await store.remove("a:1")
        await store.remove("b:2")
        assert store.list() == []

    world.run(use=remove_all)
    assert world.blobs() == set() and world.keys() == set()
    assert load(world, saved) == "Loaded image: a:1\nLoaded image: b:2\n"
    assert world.run(use=save) == saved


def test_what_is_not_there_is_told_before_the_first_byte(world: World) -> None:
    async def use(store: ImageStore) -> None:
        await make(store, "a:1")
        with pytest.raises(errors.NotFound, match="No such image: nope:latest"):
            store.save(["a:1", "nope"])

    world.run(use=use)


def test_a_repository_means_all_of_its_tags_and_an_id_none(world: World) -> None:
    async def use(store: ImageStore) -> None:
        image = await make(store, "a:1")
        await store.tag("a:1", parse_reference("a:2"))
        for refs, tags in ((["a"], ["a:1", "a:2"]), (["a:2"], ["a:2"]), ([image.id], None), (["a:2", "a:2"], ["a:2"])):
            saved = files_of(b"".join(await collect(store.save(refs))))
            assert [entry["RepoTags"] for entry in json.loads(saved["manifest.json"])] == [tags]
            assert ("repositories" in saved) is bool(tags)

    world.run(use=use)


def test_a_saved_image_is_announced(world: World) -> None:
    async def use(store: ImageStore) -> None:
        image = await make(store, "a:1")
        world.events.clear()
        await collect(store.save(["a:1"]))
        assert [(event.action, event.id) for event in world.events] == [("save", image.id)]

    world.run(use=use)


def test_no_image_gives_an_empty_archive(world: World) -> None:
    async def use(store: ImageStore) -> None:
        saved = files_of(b"".join(await collect(store.save([]))))
        assert json.loads(saved["manifest.json"]) == []

    world.run(use=use)
