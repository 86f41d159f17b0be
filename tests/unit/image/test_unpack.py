import asyncio
import gzip
import os
from typing import Any

import pytest

from sampan import errors
from sampan.image.store import ImageStore
from sampan.image.unpack import Unpacker, first_error
from sampan.oci.descriptor import Descriptor
from sampan.oci.digest import digest_of
from support.image_world import (
    LAYERS,
    World,
    docker_archive,
    load,
    said,
    stream_of,
    tar_of,
    unpack,
)


def test_images_loaded_at_the_same_time_share_their_layers(world: World) -> None:
    async def use(store: ImageStore) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                layers = [*LAYERS, tar_of({f"n{number}": b"x"})]
                group.create_task(said(store.load(stream_of(tar_of(docker_archive(layers, [f"a:{number}"]))))))
        assert len(store.list()) == 4

    world.run(use=use)
    assert len(world.keys()) == 6


def test_a_layer_that_is_there_is_not_unpacked_again(world: World) -> None:
    load(world, tar_of(docker_archive(LAYERS, ["a:1"])))
    numbers = set(os.listdir(world.folder / "snapshots"))
    load(world, tar_of(docker_archive([*LAYERS, tar_of({"new": b"x"})], ["b:1"])))
    assert len(set(os.listdir(world.folder / "snapshots")) - numbers) == 1


def test_the_first_of_several_failures_is_told_whatever_it_was_wrapped_in() -> None:
    one, two = errors.DataLoss("one"), errors.InvalidArgument("two")
    assert first_error(ExceptionGroup("", [ExceptionGroup("", [one, two]), two])) is one


def test_a_failing_helper_is_told_and_leaves_no_snapshot(world: World) -> None:
    async def refuse(root_path: str, tar_fd: int, *, options: dict[str, Any]) -> None:
        raise errors.InvalidArgument("hostile archive")

    async def main() -> None:
        unpacker = Unpacker(world.content, world.snapshots, refuse)
        blob = world.content.put(bytes(4 << 20), ref="layer")
        descriptor = Descriptor("application/vnd.oci.image.layer.v1.tar", blob.digest, blob.size_bytes)
        with pytest.raises(errors.InvalidArgument, match="hostile archive"):
            await unpacker.layer(descriptor, blob.digest)
        with pytest.raises(errors.InvalidArgument, match="hostile archive"):
            async with unpacker.layers([blob.digest], [descriptor]):
                raise AssertionError("not reached")
        assert world.keys() == set()
        world.content.delete(blob.digest)
        await world.snapshots.wait_reaped()

    asyncio.run(main())


def test_the_digest_of_a_layer_is_that_of_its_plain_bytes(world: World) -> None:
    async def main() -> None:
        unpacker = Unpacker(world.content, world.snapshots, unpack)
        blob = world.content.put(gzip.compress(LAYERS[0]), ref="layer")
        descriptor = Descriptor("application/vnd.oci.image.layer.v1.tar+gzip", blob.digest, blob.size_bytes)
        layer = await unpacker.layer(descriptor, None)
        assert (layer.diff_id, layer.usage.size_bytes) == (digest_of(LAYERS[0]), 3)
        with pytest.raises(errors.DataLoss, match="wrong diff id calculated on extraction"):
            await unpacker.layer(descriptor, digest_of(b"other"))
        await world.snapshots.remove(layer.key)
        await world.snapshots.wait_reaped()
        world.content.delete(blob.digest)

    asyncio.run(main())
