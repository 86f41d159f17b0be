from dataclasses import replace
from pathlib import Path

import pytest

from fakes.engine import World, asked, play
from sampan import errors
from sampan.engine.containers.create import create
from sampan.engine.containers.remove import remove


def test_a_name_in_use_is_refused_in_dockers_words_and_free_again_after_removal(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        first = await create(world.deps, asked(name="web"))
        with pytest.raises(errors.Conflict) as caught:
            await create(world.deps, asked(name="/web"))
        assert str(caught.value) == (
            f'Conflict. The container name "/web" is already in use by container "{first.id}". '
            "You have to remove (or rename) that container to be able to reuse that name."
        )
        await remove(world.deps, first.id)
        await create(world.deps, asked(name="web"))

    play(tmp_path, scenario)


def test_a_refused_creation_gives_back_name_volumes_and_snapshot(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        deps = world.deps

        def refuse(*_: object) -> None:
            raise errors.Internal("disk full")

        async def failing_write(fn: object) -> None:
            refuse(fn)

        deps.database.write, write = failing_write, deps.database.write  # type: ignore[method-assign, assignment]
        with pytest.raises(errors.Internal, match="disk full"):
            await create(deps, asked(name="web", volumes={"/data": {}}))
        deps.database.write = write  # type: ignore[method-assign]
        assert not world.volumes.volumes
        assert not deps.snapshotter.snapshots()
        assert len(deps.registry) == 0
        await create(deps, asked(name="web"))

    play(tmp_path, scenario)


def test_an_image_of_another_platform_counts_as_absent(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        request = replace(asked(name="web"), platform="linux/arm64")
        with pytest.raises(errors.NotFound) as caught:
            await create(world.deps, request)
        assert str(caught.value) == (
            "image with reference box was found but its platform (linux/amd64) does not match the specified platform "
            "(linux/arm64)"
        )
        await create(world.deps, replace(request, platform="linux/amd64"))

    play(tmp_path, scenario)
