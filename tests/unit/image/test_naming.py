import pytest

from sampan import errors
from sampan.image.naming import parse_target
from sampan.image.store import ImageStore
from sampan.oci.reference import parse_reference
from support.image_world import World, make


@pytest.mark.parametrize(
    ("repository", "tag", "name"),
    [
        ("box", "", "docker.io/library/box:latest"),
        ("box", "1", "docker.io/library/box:1"),
        ("box:2", "", "docker.io/library/box:2"),
        ("box:2", "1", "docker.io/library/box:1"),
        ("host:5000/a/b", "1", "host:5000/a/b:1"),
    ],
)
def test_a_target_is_a_repository_and_a_tag(repository: str, tag: str, name: str) -> None:
    assert str(parse_target(repository, tag)) == name


@pytest.mark.parametrize(
    ("repository", "tag", "message"),
    [
        ("box@sha256:" + "1" * 64, "", "refusing to create a tag with a digest reference"),
        ("Box", "", "must be lowercase"),
        ("box", "in valid", "invalid"),
    ],
)
def test_a_target_that_can_be_no_tag_is_refused(repository: str, tag: str, message: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=message):
        parse_target(repository, tag)


def test_one_more_name_is_announced_and_dates_the_image(world: World) -> None:
    async def use(store: ImageStore) -> None:
        image = await make(store, "a:1")
        world.events.clear()
        await store.tag(image.id[7:19], parse_reference("b"))
        found = store.get(image.id)
        assert found.repo_tags == ("a:1", "b:latest")
        assert found.tagged_ns >= image.tagged_ns
        assert [(event.action, event.id, event.name) for event in world.events] == [("tag", image.id, "b:latest")]
        with pytest.raises(errors.NotFound, match="No such image: nosuch:latest"):
            await store.tag("nosuch", parse_reference("c"))

    world.run(use=use)


def test_a_name_that_reads_like_a_digest_is_refused(world: World) -> None:
    async def use(store: ImageStore) -> None:
        await make(store, "a:1")
        with pytest.raises(errors.InvalidArgument, match="ambiguous tag using digest algorithm as name"):
            await store.tag("a:1", parse_reference("sha256:" + "1" * 12))
        with pytest.raises(errors.InvalidArgument, match="refusing to create a tag with a digest reference"):
            await store.tag("a:1", parse_reference("b@sha256:" + "1" * 64))

    world.run(use=use)
