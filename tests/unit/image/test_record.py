from dataclasses import replace

import msgspec

from sampan.image.record import Image
from sampan.oci.descriptor import Descriptor
from sampan.oci.digest import chain_ids
from sampan.oci.image import ImageConfig, RootFS
from sampan.oci.manifest import Manifest

LAYERS = ["sha256:" + "a" * 64, "sha256:" + "b" * 64]
IMAGE = Image(
    id="sha256:" + "1" * 64,
    config=ImageConfig(rootfs=RootFS(diff_ids=LAYERS), created="2026-01-02T03:04:05.5Z"),
    config_bytes=b"{}",
    manifest=Manifest(2, Descriptor(media_type="", digest="sha256:" + "1" * 64, size=2)),
    manifest_digest="sha256:" + "2" * 64,
    target_digest="sha256:" + "2" * 64,
    parent=None,
    tagged_ns=0,
    repo_tags=("a:1",),
    repo_digests=(),
    layer_sizes=(3, 4),
)


def test_an_image_is_as_large_as_its_layers() -> None:
    assert IMAGE.size_bytes == 7
    assert replace(IMAGE, layer_sizes=()).size_bytes == 0


def test_a_container_stands_on_the_chain_of_all_layers() -> None:
    assert IMAGE.chain_id == chain_ids(LAYERS)[-1]
    assert IMAGE.chain_id not in LAYERS
    empty = msgspec.structs.replace(IMAGE.config, rootfs=RootFS(diff_ids=[]))
    assert replace(IMAGE, config=empty).chain_id is None


def test_a_date_that_is_missing_or_wrong_is_that_of_no_time() -> None:
    assert IMAGE.created_ns == 1767323045_500_000_000
    for text in (None, "", "yesterday"):
        assert replace(IMAGE, config=msgspec.structs.replace(IMAGE.config, created=text)).created_ns == 0


def test_an_image_without_a_tag_dangles_whatever_digests_it_has() -> None:
    assert not IMAGE.is_dangling
    assert replace(IMAGE, repo_tags=(), repo_digests=("a@sha256:1",)).is_dangling
