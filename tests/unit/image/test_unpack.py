import asyncio

from sampan.image.store import ImageStore
from support.image_world import (
    LAYERS,
    World,
    docker_archive,
    said,
    stream_of,
    tar_of,
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
