import json

import pytest

from sampan import errors
from sampan.image.store import ImageStore
from sampan.oci.digest import digest_of
from support.image_world import (
    LAYERS,
    World,
    config_of,
    docker_archive,
    layout_of,
    load,
    oci_layout,
    said,
    stream_of,
    tar_of,
)


def test_a_name_that_moves_leaves_the_old_image_dangling(world: World) -> None:
    load(world, tar_of(docker_archive(LAYERS, ["a:1"])))
    old = digest_of(config_of(LAYERS))
    said = load(world, tar_of(docker_archive(LAYERS[:1], ["a:1"])))
    assert said.startswith(f"The image a:1 already exists, renaming the old one with ID {old} to empty string\n")

    async def use(store: ImageStore) -> None:
        assert store.get(old).is_dangling

    world.run(use=use)


def test_a_manifest_that_is_no_images_is_refused_before_any_work(world: World) -> None:
    files = oci_layout(LAYERS, "a:1")
    index = json.loads(files["index.json"])
    name = "blobs/" + index["manifests"][0]["digest"].replace(":", "/")
    manifest = json.loads(files.pop(name))
    manifest["layers"][0]["mediaType"] = "application/vnd.in-toto+json"
    blobs = [content for path, content in files.items() if path.startswith("blobs/")]

    async def use(store: ImageStore) -> None:
        archive = tar_of(layout_of([json.dumps(manifest).encode()], blobs, "a:1"))
        with pytest.raises(errors.InvalidArgument, match=r"is no image: it has a application/vnd.in-toto\+json"):
            await said(store.load(stream_of(archive)))

    world.run(use=use)


def test_the_same_image_again_keeps_its_snapshots_and_gains_a_name(world: World) -> None:
    load(world, tar_of(docker_archive(LAYERS, ["a:1"])))
    before = world.keys()
    load(world, tar_of(docker_archive(LAYERS, ["b:2"])))
    assert world.keys() == before

    async def use(store: ImageStore) -> None:
        assert store.resolve("a:1").repo_tags == ("a:1", "b:2")

    world.run(use=use)


def test_a_parent_that_is_not_here_is_not_noted(world: World) -> None:
    files = docker_archive(LAYERS, ["a:1"])
    entry = json.loads(files["manifest.json"])[0] | {"Parent": "sha256:" + "0" * 64}
    load(world, tar_of(files | {"manifest.json": json.dumps([entry]).encode()}))

    async def use(store: ImageStore) -> None:
        assert store.resolve("a:1").parent is None

    world.run(use=use)
