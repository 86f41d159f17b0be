"""The store as a whole: what goes in comes out, failures leave nothing, and a crash anywhere is survived."""

import asyncio
import gzip
import json
import lzma
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import zstandard

from sampan import errors
from sampan.image.store import ImageStore, ImageUse
from sampan.oci.digest import digest_of
from sampan.oci.reference import parse_reference
from support.image_world import (
    World,
    collect,
    config_of,
    docker_archive,
    files_of,
    layout_of,
    make,
    oci_layout,
    said,
    stream_of,
    tar_of,
)

LAYERS = [tar_of({"x": b"1", "d/y": b"22"}), tar_of({"z": b"333"})]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.check_invariants()
    found.close()


def load(world: World, archive: bytes) -> str:
    async def use(store: ImageStore) -> str:
        return await said(store.load(stream_of(archive)))

    text: str = world.run(use=use)
    return text


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


def test_a_name_that_moves_leaves_the_old_image_dangling(world: World) -> None:
    load(world, tar_of(docker_archive(LAYERS, ["a:1"])))
    old = digest_of(config_of(LAYERS))
    said = load(world, tar_of(docker_archive(LAYERS[:1], ["a:1"])))
    assert said.startswith(f"The image a:1 already exists, renaming the old one with ID {old} to empty string\n")

    async def use(store: ImageStore) -> None:
        assert store.get(old).is_dangling

    world.run(use=use)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.compress, lzma.compress])
def test_an_import_takes_a_tar_in_any_compression(world: World, compress) -> None:
    async def use(store: ImageStore) -> None:
        image = await store.import_(
            stream_of(compress(LAYERS[0])), reference=parse_reference("a"), changes=["ENV A=b", 'CMD ["sh"]']
        )
        assert image.repo_tags == ("a:latest",)
        assert image.diff_ids == [digest_of(LAYERS[0])]
        assert image.config.config is not None and image.config.config.env == ["A=b"]
        assert image.config.comment == "Imported from -"

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
        async with asyncio.timeout(10):
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


def test_images_loaded_at_the_same_time_share_their_layers(world: World) -> None:
    async def use(store: ImageStore) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                layers = [*LAYERS, tar_of({f"n{number}": b"x"})]
                group.create_task(said(store.load(stream_of(tar_of(docker_archive(layers, [f"a:{number}"]))))))
        assert len(store.list()) == 4

    world.run(use=use)
    assert len(world.keys()) == 6


def test_a_container_keeps_its_layers_when_its_image_goes(world: World) -> None:
    async def use(store: ImageStore) -> None:
        image = await make(store, "a:1")
        await store.acquire_rootfs(image.id, "container1")
        deleted = await store.remove("a:1", force=True, uses=[ImageUse("c" * 64, image.id, False)])
        assert deleted == [{"Untagged": "a:1"}, {"Deleted": image.id}]
        assert store.rootfs("container1")
        await store.release_rootfs("container1")
        await store.release_rootfs("container1")
        await store.sweep()

    world.run(use=use)
    assert world.keys() == set()


def test_a_commit_adds_a_layer_and_knows_its_parent(world: World) -> None:
    from sampan.image.store import Step

    async def use(store: ImageStore) -> None:
        base = await make(store, "base:1")
        image = await store.commit(
            base,
            stream_of(tar_of({"new": b"1234"})),
            config=base.config,
            step=Step(comment="hello", author="me", created_by="sh"),
            reference=parse_reference("child"),
        )
        assert image.parent == base.id and image.diff_ids[:1] == base.diff_ids
        lines = store.history("child")
        assert [(line.id, line.comment, line.size_bytes) for line in lines] == [
            (image.id, "hello", 4),
            (base.id, "Imported from -", 6),
        ]
        with pytest.raises(errors.Conflict, match="image has dependent child images"):
            await store.remove(base.id, force=True)

    world.run(use=use)


CRASH = """
import asyncio, sys
from pathlib import Path
from support.image_world import World, make, said, stream_of, tar_of, docker_archive
from sampan.base import failpoints

LAYERS = [tar_of({"x": b"1", "d/y": b"22"}), tar_of({"z": b"333"})]

async def use(store):
    failpoints.arm(sys.argv[3])
    if sys.argv[2] == "load":
        await said(store.load(stream_of(tar_of(docker_archive(LAYERS, ["new:1"], compress=True)))))
    elif sys.argv[2] == "import":
        await make(store, "new:1")
    elif sys.argv[2] == "remove":
        await store.remove("kept:1")
    else:
        image = store.resolve("kept:1")
        await store.acquire_rootfs(image.id, "container2")
        await store.release_rootfs("container1")

World(Path(sys.argv[1])).run(use=use)
"""
POINTS = {
    "load": [
        *(f"content.commit.{step}={n}*kill" for step in ("synced", "renamed") for n in range(1, 6)),
        *(f"snapshot.prepare.made={n}*kill" for n in (1, 2)),
        *(f"metadata.{step}={n}*kill" for step in ("commit", "committed") for n in (1, 2)),
    ],
    "import": ["content.commit.synced=1*kill", "content.commit.renamed=3*kill", "metadata.commit=2*kill"],
    "remove": ["metadata.commit=kill", "metadata.committed=kill", "snapshot.remove.stored=kill"],
    "run": [
        "snapshot.prepare.made=kill",
        *(f"metadata.{step}={n}*kill" for step in ("commit", "committed") for n in (1, 2)),
        "snapshot.remove.stored=kill",
    ],
}


@pytest.mark.parametrize(("verb", "point"), [(verb, point) for verb in POINTS for point in POINTS[verb]])
def test_a_crash_leaves_nothing_that_the_next_start_does_not_put_right(world: World, verb: str, point: str) -> None:
    async def prepare(store: ImageStore) -> None:
        image = await make(store, "kept:1")
        if verb == "run":
            await store.acquire_rootfs(image.id, "container1")

    world.run(use=prepare)
    world.close()
    search = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", CRASH, str(world.folder), verb, point], env={"PYTHONPATH": search}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    world.open()
    world.check_invariants()

    async def use(store: ImageStore) -> None:
        names = {name for image in store.list() for name in image.repo_tags}
        assert names <= {"kept:1", "new:1"}
        assert "kept:1" in names or verb == "remove"
        await said(store.load(stream_of(tar_of(docker_archive(LAYERS, ["new:1"], compress=True)))))

    world.run(use=use)
