import gzip
import lzma

import pytest
import zstandard

from sampan import errors
from sampan.image.store import ImageStore, Step
from sampan.oci.digest import digest_of
from sampan.oci.reference import parse_reference
from support.image_world import LAYERS, World, make, stream_of, tar_of


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


def test_a_commit_adds_a_layer_and_knows_its_parent(world: World) -> None:
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
