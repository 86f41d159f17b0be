from sampan.image.store import ImageStore
from sampan.oci.digest import digest_of
from support.image_world import LAYERS, World, config_of, docker_archive, load, tar_of


def test_a_name_that_moves_leaves_the_old_image_dangling(world: World) -> None:
    load(world, tar_of(docker_archive(LAYERS, ["a:1"])))
    old = digest_of(config_of(LAYERS))
    said = load(world, tar_of(docker_archive(LAYERS[:1], ["a:1"])))
    assert said.startswith(f"The image a:1 already exists, renaming the old one with ID {old} to empty string\n")

    async def use(store: ImageStore) -> None:
        assert store.get(old).is_dangling

    world.run(use=use)
