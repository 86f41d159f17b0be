import json

import pytest

from sampan.image.graph import closure
from sampan.image.store import ImageStore
from sampan.oci.digest import digest_of
from support.image_world import LAYERS, World, docker_archive, load, make, oci_layout, tar_of


def test_a_target_leads_to_all_that_is_stored_of_it(world: World) -> None:
    files = oci_layout(LAYERS)
    blobs = {digest_of(content): content for name, content in files.items() if name.startswith("blobs/")}
    target = json.loads(files["index.json"])["manifests"][0]["digest"]
    for content in blobs.values():
        world.content.put(content, ref="x")
    index = json.dumps(
        {
            "schemaVersion": 2,
            "manifests": [
                {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 5}
                for digest in (target, digest_of(b"of another platform"))
            ],
        }
    ).encode()
    world.content.put(index, ref="x")
    assert closure(world.content, [target]) == set(blobs)
    assert closure(world.content, [digest_of(index)]) == {digest_of(index), *blobs}
    assert closure(world.content, []) == set()


def test_a_sweep_takes_what_nothing_leads_to_and_leaves_containers_their_layers(world: World) -> None:
    async def use(store: ImageStore) -> None:
        image = await make(store, "kept:1")
        await store.acquire_rootfs(image.id, "container1")
        await world.snapshots.prepare("k", None)
        await world.snapshots.commit("sha256:orphan", "k")
        world.content.put(b"orphan", ref="x")
        await store.sweep()
        assert world.keys() == {image.chain_id, "container1"}
        assert digest_of(b"orphan") not in world.blobs()

    world.run(use=use)


def test_nothing_is_collected_while_an_image_is_damaged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    load(world, tar_of(docker_archive(LAYERS, ["a:1"])))

    async def use(store: ImageStore) -> None:
        image = store.resolve("a:1")
        manifest = world.content.read(image.manifest_digest)
        world.content.put(b"orphan", ref="x")
        world.content.delete(image.manifest_digest)
        await store.sweep()
        assert digest_of(b"orphan") in world.blobs()
        assert "an image is damaged" in caplog.text
        world.content.put(manifest, ref="x")

    world.run(use=use)
