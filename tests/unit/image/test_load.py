import asyncio
import gzip
import json
import lzma
import os
from collections.abc import AsyncIterator

import pytest
import zstandard

from sampan import errors
from sampan.image.store import ImageStore
from sampan.oci.digest import digest_of
from support.image_world import (
    LAYERS,
    World,
    collect,
    config_of,
    docker_archive,
    files_of,
    layout_of,
    load,
    make,
    oci_layout,
    said,
    stream_of,
    tar_of,
)


def test_a_docker_archive_is_loaded_with_its_names(world: World) -> None:
    said = load(world, tar_of(docker_archive(LAYERS, ["one:1", "two:2"])))
    assert said == "Loaded image: one:1\nLoaded image: two:2\n"

    async def use(store: ImageStore) -> None:
        image = store.resolve("two:2")
        assert image.repo_tags == ("one:1", "two:2")
        assert image.layer_sizes == (3, 3) and image.size_bytes == 6
        assert image.id == digest_of(config_of(LAYERS))
        assert image.repo_digests == (f"one@{image.manifest_digest}", f"two@{image.manifest_digest}")

    world.run(use=use)


def test_an_archive_without_names_is_loaded_by_its_id(world: World) -> None:
    assert load(world, tar_of(docker_archive(LAYERS, []))) == f"Loaded image ID: {digest_of(config_of(LAYERS))}\n"


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, zstandard.compress], ids=["gzip", "xz", "zstd"])
def test_a_compressed_archive_with_compressed_layers_is_loaded(world: World, compress) -> None:
    assert load(world, compress(tar_of(docker_archive(LAYERS, ["a:1"], compress=True)))) == "Loaded image: a:1\n"


def test_an_index_gives_the_image_of_the_platform_asked_for_and_stays_whole(world: World) -> None:
    amd, arm = oci_layout(LAYERS[:1], architecture="amd64"), oci_layout(LAYERS[1:], architecture="arm64")
    entries = []
    blobs = []
    for files, architecture in ((amd, "amd64"), (arm, "arm64")):
        entry = json.loads(files["index.json"])["manifests"][0]
        entries.append(entry | {"platform": {"os": "linux", "architecture": architecture}})
        blobs += [content for name, content in files.items() if name.startswith("blobs/")]
    index = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    archive = tar_of(layout_of([index], blobs, "docker.io/library/multi:1"))

    async def use(store: ImageStore) -> None:
        await said(store.load(stream_of(archive)))
        image = store.resolve("multi:1")
        assert image.target_digest == digest_of(index)
        assert image.repo_digests == (f"multi@{digest_of(index)}",)
        assert world.blobs() == {digest_of(blob) for blob in (index, *blobs)}
        saved = files_of(b"".join(await collect(store.save(["multi:1"]))))
        assert json.loads(saved["index.json"])["manifests"][0]["digest"] == digest_of(index)
        await store.remove("multi:1")

    world.run(use=use)


def truncated(files: dict[str, bytes]) -> bytes:
    return tar_of(files)[:15_000]


def lying_layer() -> dict[str, bytes]:
    return docker_archive(LAYERS, ["a:1"], config=config_of([LAYERS[0], tar_of({"other": b"1"})]))


def damaged_gzip() -> dict[str, bytes]:
    files = docker_archive(LAYERS, ["a:1"], compress=True)
    return files | {"1/layer.tar": files["1/layer.tar"][:-20]}


def lying_blob() -> dict[str, bytes]:
    files = oci_layout(LAYERS, "a:1")
    (name, *_) = [name for name in files if name.startswith("blobs/")]
    return files | {name: files[name] + b" "}


BAD_ARCHIVES = {
    "junk": (b"junk", "unexpected EOF"),
    "no-manifest": (tar_of({"a": b"b"}), "open manifest.json: no such file"),
    "truncated": (truncated(docker_archive(LAYERS, ["a:1"])), "unexpected EOF"),
    "truncated-gzip": (gzip.compress(tar_of(docker_archive(LAYERS, ["a:1"])))[:-9], "unexpected EOF"),
    "lying-layer": (tar_of(lying_layer()), "wrong diff id"),
    "damaged-layer": (tar_of(damaged_gzip()), "gzip"),
    "lying-blob": (tar_of(lying_blob()), "unexpected digest"),
    "no-json": (tar_of({"manifest.json": b"xx["}), "invalid manifest.json"),
    "no-config": (tar_of({"manifest.json": b'[{"Config":"c","Layers":["l"]}]'}), "open c: no such file or directory"),
    "no-rootfs": (tar_of({"manifest.json": b'[{"Config":"c","Layers":["l"]}]', "c": b"{}"}), "no RootFS key"),
    "bad-name": (tar_of(docker_archive(LAYERS, ["UPPER:1"])), "must be lowercase"),
    "missing-layer": (tar_of(docker_archive(LAYERS, [], config=config_of(LAYERS[:1]))), "layers length mismatch"),
}


@pytest.mark.parametrize("kind", BAD_ARCHIVES)
def test_a_bad_archive_leaves_nothing_behind(world: World, kind: str) -> None:
    archive, error = BAD_ARCHIVES[kind]

    async def use(store: ImageStore) -> None:
        await make(store, "kept:1")
        before = world.blobs(), world.keys()
        with pytest.raises(errors.Error, match=error):
            await said(store.load(stream_of(archive)))
        assert (world.blobs(), world.keys()) == before

    world.run(use=use)


def test_a_stream_that_breaks_off_leaves_nothing_behind(world: World) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield tar_of(docker_archive(LAYERS, ["a:1"]))[:9000]
        raise ConnectionResetError("gone")

    async def use(store: ImageStore) -> None:
        for way in (store.import_(breaking()), said(store.load(breaking()))):
            with pytest.raises(errors.InvalidArgument, match="unexpected EOF"):
                await way

    world.run(use=use)
    assert world.blobs() == set()


def test_a_cancelled_load_leaves_nothing_behind(world: World) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield tar_of(docker_archive(LAYERS, ["a:1"]))[:15_000]
        await asyncio.Event().wait()

    async def use(store: ImageStore) -> None:
        task = asyncio.get_running_loop().create_task(said(store.load(endless())))
        async with asyncio.timeout(30):
            while not os.listdir(world.folder / "content" / "blobs" / "sha256"):
                await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    world.run(use=use)
    assert world.blobs() == set()


def test_closing_the_progress_of_a_load_ends_it(world: World) -> None:
    async def use(store: ImageStore) -> None:
        progress = store.load(stream_of(tar_of(docker_archive(LAYERS, ["a:1"]))))
        async for _ in progress:
            break
        await progress.aclose()  # type: ignore[attr-defined]

    world.run(use=use)
