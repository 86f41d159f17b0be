"""Docker's rules and words for `docker rmi`, as its daemon of 28.5 answers."""

from typing import Any

import pytest

from sampan import errors
from sampan.image.store import Image, ImageStore, ImageUse, Step
from sampan.oci.reference import parse_reference
from support.image_world import World, make, stream_of, tar_of

CONTAINER = "c0ffee" + "0" * 58


async def tagged(store: ImageStore, *names: str) -> Image:
    image = await make(store, names[0])
    for name in names[1:]:
        await store.tag(names[0], parse_reference(name))
    return store.get(image.id)


async def commit(store: ImageStore, base: Image, name: str) -> Image:
    return await store.commit(
        base,
        stream_of(tar_of({f"file-{name}": b"x"})),
        config=base.config,
        step=Step(),
        reference=parse_reference(name) if name else None,
    )


async def refused(store: ImageStore, ref: str, message: str, **more: Any) -> None:
    before = [(image.id, image.repo_tags) for image in store.list(all=True)]
    with pytest.raises(errors.Conflict, match=f"^conflict: {message}$"):
        await store.remove(ref, **more)
    assert [(image.id, image.repo_tags) for image in store.list(all=True)] == before


def short(image: Image) -> str:
    return image.id[7:19]


def test_the_last_name_takes_the_image_and_its_layers_along(world: World) -> None:
    async def use(store: ImageStore) -> None:
        image = await tagged(store, "a:1", "b:2")
        assert await store.remove("b:2") == [{"Untagged": "b:2"}]
        assert await store.remove("a:1") == [
            {"Untagged": "a:1"},
            {"Deleted": image.id},
            {"Deleted": image.chain_id},
        ]
        actions = [(event.action, event.name) for event in world.events[-3:]]
        assert actions == [("untag", image.id), ("untag", image.id), ("delete", image.id)]

    world.run(use=use)


def test_shared_layers_stay(world: World) -> None:
    async def use(store: ImageStore) -> None:
        base = await tagged(store, "a:1")
        child = await commit(store, base, "b:1")
        records = await store.remove("b:1")
        assert records == [{"Untagged": "b:1"}, {"Deleted": child.id}, {"Deleted": child.chain_id}]
        assert store.resolve("a:1").size_bytes == base.size_bytes

    world.run(use=use)


def test_an_id_removes_all_names_of_one_repository_only(world: World) -> None:
    async def use(store: ImageStore) -> None:
        image = await tagged(store, "a:1", "b:2")
        words = f"unable to delete {short(image)} \\(must be forced\\) - image is referenced in multiple repositories"
        await refused(store, image.id, words)
        await store.remove("b:2")
        assert {"Untagged": "a:1"} in await store.remove(short(image))

    world.run(use=use)


def test_force_removes_an_image_with_names_in_several_repositories(world: World) -> None:
    async def use(store: ImageStore) -> None:
        image = await tagged(store, "a:1", "b:2")
        records = await store.remove(image.id, force=True)
        assert records[:3] == [{"Untagged": "a:1"}, {"Untagged": "b:2"}, {"Deleted": image.id}]

    world.run(use=use)


def test_a_stopped_container_wants_force(world: World) -> None:
    async def use(store: ImageStore) -> None:
        image = await tagged(store, "a:1")
        uses = [ImageUse(CONTAINER, image.id, False)]
        await refused(
            store,
            "a:1",
            'unable to remove repository reference "a:1" \\(must force\\) - container c0ffee000000 is using its'
            f" referenced image {short(image)}",
            uses=uses,
        )
        await refused(
            store,
            image.id,
            f"unable to delete {short(image)} \\(must be forced\\) - image is being used by stopped container"
            " c0ffee000000",
            uses=uses,
        )
        assert {"Deleted": image.id} in await store.remove("a:1", force=True, uses=uses)

    world.run(use=use)


def test_a_running_container_cannot_be_forced(world: World) -> None:
    async def use(store: ImageStore) -> None:
        image = await tagged(store, "a:1")
        uses = [ImageUse(CONTAINER, image.id, True)]
        words = f"unable to delete {short(image)} \\(cannot be forced\\) - image is being used by running container"
        await refused(store, image.id, words + " c0ffee000000", force=True, uses=uses)
        assert await store.remove("a:1", force=True, uses=uses) == [{"Untagged": "a:1"}]
        assert store.get(image.id).is_dangling

    world.run(use=use)


def test_an_image_that_others_were_made_of_cannot_be_deleted(world: World) -> None:
    async def use(store: ImageStore) -> None:
        base = await tagged(store, "a:1")
        await commit(store, base, "b:1")
        words = f"unable to delete {short(base)} \\(cannot be forced\\) - image has dependent child images"
        await refused(store, base.id, words, force=True)

    world.run(use=use)


def test_unnamed_parents_go_with_their_last_child_unless_asked_not_to(world: World) -> None:
    async def use(store: ImageStore) -> None:
        base = await make(store, "")
        middle = await commit(store, base, "")
        top = await commit(store, middle, "top:1")
        assert [image.id for image in store.list()] == [top.id]
        deleted = [record.get("Deleted") for record in await store.remove("top:1")]
        assert [image.id for image in (top, middle, base)] == [name for name in deleted if name not in _chains(top)][1:]
        assert store.list(all=True) == []

    world.run(use=use)


def _chains(image: Image) -> list[str]:
    from sampan.oci.digest import chain_ids

    return chain_ids(image.diff_ids)


def test_prune_can_be_turned_off(world: World) -> None:
    async def use(store: ImageStore) -> None:
        base = await make(store, "")
        await commit(store, base, "top:1")
        await store.remove("top:1", prune=False)
        assert [image.id for image in store.list()] == [base.id]

    world.run(use=use)


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("nosuch", "No such image: nosuch:latest"),
        ("nosuch:2", "No such image: nosuch:2"),
        ("deadbeef", "No such image: deadbeef:latest"),
        ("sha256:" + "12" * 32, "No such image: sha256:" + "12" * 32),
        ("a@sha256:" + "12" * 32, "No such image: a@sha256:" + "12" * 32),
    ],
)
def test_what_is_not_there_is_named_as_docker_names_it(world: World, ref: str, message: str) -> None:
    async def use(store: ImageStore) -> None:
        await make(store, "a:1")
        with pytest.raises(errors.NotFound, match=f"^{message}$"):
            await store.remove(ref)

    world.run(use=use)


def test_the_last_name_of_a_parent_goes_and_the_parent_stays(world: World) -> None:
    async def use(store: ImageStore) -> None:
        base = await tagged(store, "a:1")
        await commit(store, base, "b:1")
        assert await store.remove("a:1") == [{"Untagged": "a:1"}]
        assert {"Deleted": base.id} in await store.remove("b:1")
        assert store.list(all=True) == []

    world.run(use=use)
