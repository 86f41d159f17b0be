import json

import pytest

from sampan import errors
from sampan.oci import descriptor as d
from sampan.oci.descriptor import Descriptor
from sampan.oci.digest import digest_of
from sampan.oci.manifest import Index, Manifest, encode_manifest, parse_manifest, references_of

CONFIG = Descriptor(d.OCI_CONFIG, digest_of(b"c"), 1)
LAYER = Descriptor(d.OCI_LAYER, digest_of(b"l"), 2)


def raw(found: Descriptor) -> dict[str, object]:
    return {"mediaType": found.media_type, "digest": found.digest, "size": found.size}


def test_a_new_manifest_is_written_as_docker_writes_it() -> None:
    content = encode_manifest(CONFIG, (LAYER,))
    expected = {"schemaVersion": 2, "mediaType": d.OCI_MANIFEST, "config": raw(CONFIG), "layers": [raw(LAYER)]}
    assert content == json.dumps(expected, separators=(",", ":")).encode()
    assert parse_manifest(content) == Manifest(2, CONFIG, (LAYER,), d.OCI_MANIFEST)


def test_a_manifest_and_an_index_are_told_apart_by_their_members() -> None:
    manifest = parse_manifest(json.dumps({"schemaVersion": 2, "config": raw(CONFIG), "layers": []}).encode())
    index = parse_manifest(json.dumps({"schemaVersion": 2, "manifests": [raw(CONFIG)]}).encode())
    assert isinstance(manifest, Manifest) and references_of(manifest) == (CONFIG,)
    assert isinstance(index, Index) and references_of(index) == (CONFIG,)


def test_the_media_type_inside_counts_more_than_the_one_outside() -> None:
    content = json.dumps({"schemaVersion": 2, "mediaType": d.DOCKER_INDEX, "manifests": []}).encode()
    assert isinstance(parse_manifest(content, d.OCI_MANIFEST), Index)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        json.dumps({"schemaVersion": 1, "fsLayers": []}).encode(),
        json.dumps({"schemaVersion": 2, "config": raw(CONFIG) | {"digest": "sha256:../x"}}).encode(),
        json.dumps({"schemaVersion": 2, "config": raw(CONFIG) | {"size": -1}}).encode(),
        json.dumps({"schemaVersion": 2, "manifests": [raw(CONFIG) | {"digest": ""}]}).encode(),
        b" " * (5 << 20),
    ],
)
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(errors.InvalidArgument):
        parse_manifest(content)
