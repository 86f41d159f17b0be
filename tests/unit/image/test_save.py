import json

from sampan.image.store import ImageStore
from sampan.oci.digest import digest_of
from support.image_world import LAYERS, World, collect, docker_archive, files_of, load, oci_layout, tar_of


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
