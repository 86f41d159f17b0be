"""The store as a whole: what goes in comes out, failures leave nothing, and a crash anywhere is survived."""

import os
import signal
import subprocess
import sys

import pytest

from sampan.image.store import ImageStore, ImageUse
from support.image_world import (
    LAYERS,
    World,
    docker_archive,
    make,
    said,
    stream_of,
    tar_of,
)


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
