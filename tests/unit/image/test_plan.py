import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan import errors
from sampan.image.archive import read_archive
from sampan.image.plan import PlannedImage, layer_descriptor, plan
from sampan.oci.descriptor import Platform
from sampan.oci.digest import digest_of
from sampan.storage.content import ContentStore
from support.image_world import LAYERS, config_of, docker_archive, layout_of, oci_layout, tar_of


@pytest.fixture
def content(tmp_path: Path) -> Iterator[ContentStore]:
    yield ContentStore(str(tmp_path))


def planned(content: ContentStore, files: dict[str, bytes], platform: Platform | None = None) -> list[PlannedImage]:
    return plan(read_archive(io.BytesIO(tar_of(files)), content), platform=platform)


def names(image: PlannedImage) -> list[str]:
    return [name.familiar for name in image.names]


def test_a_docker_archive_gets_a_manifest_of_its_own(content: ContentStore) -> None:
    (image,) = planned(content, docker_archive(LAYERS, ["a:1", "b:2"], compress=True))
    assert names(image) == ["a:1", "b:2"]
    assert image.id == digest_of(config_of(LAYERS))
    assert image.manifest_digest == image.target_digest
    assert json.loads(content.read(image.manifest_digest))["config"]["digest"] == image.id
    assert [layer.media_type for layer in image.manifest.layers] == ["application/vnd.oci.image.layer.v1.tar+gzip"] * 2


def test_a_layout_keeps_its_manifest(content: ContentStore) -> None:
    files = oci_layout(LAYERS, "docker.io/library/a:1")
    (image,) = planned(content, files)
    target = json.loads(files["index.json"])["manifests"][0]["digest"]
    assert (image.manifest_digest, image.target_digest, names(image)) == (target, target, ["a:1"])


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [("1.0", []), ("latest", []), ("box:1", ["box:1"]), ("host/box", ["host/box:latest"])],
)
def test_a_bare_word_as_a_name_is_a_tag_and_names_nothing(
    content: ContentStore, annotation: str, expected: list[str]
) -> None:
    files = oci_layout(LAYERS)
    index = json.loads(files["index.json"])
    index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": annotation}
    (image,) = planned(content, files | {"index.json": json.dumps(index).encode()})
    assert names(image) == expected


def test_a_layout_without_names_takes_those_of_its_manifest_json(content: ContentStore) -> None:
    files = oci_layout(LAYERS)
    config = "blobs/" + digest_of(config_of(LAYERS)).replace(":", "/")
    docker = [{"Config": config, "RepoTags": ["a:1"], "Layers": [], "Parent": "sha256:p"}]
    (image,) = planned(content, files | {"manifest.json": json.dumps(docker).encode()})
    assert (names(image), image.parent) == (["a:1"], "sha256:p")


def test_an_image_that_is_listed_twice_has_both_names(content: ContentStore) -> None:
    files = oci_layout(LAYERS)
    index = json.loads(files["index.json"])
    entry = index["manifests"][0]
    index["manifests"] = [
        entry | {"annotations": {"io.containerd.image.name": f"docker.io/library/{name}"}} for name in ("a:1", "b:2")
    ]
    (image,) = planned(content, files | {"index.json": json.dumps(index).encode()})
    assert names(image) == ["a:1", "b:2"]


def test_a_platform_that_is_not_there_is_told(content: ContentStore) -> None:
    files = oci_layout(LAYERS)
    assert planned(content, files, Platform(os="linux", architecture="amd64"))
    with pytest.raises(errors.InvalidArgument, match="no image for the platform asked for"):
        planned(content, files, Platform(os="linux", architecture="s390x"))


def test_an_index_within_an_index_ends_somewhere(content: ContentStore) -> None:
    blobs = [content for name, content in oci_layout(LAYERS[:1]).items() if name.startswith("blobs/")]
    target = blobs[0]
    kind = "application/vnd.oci.image.manifest.v1+json"
    for _ in range(6):
        entry = {"mediaType": kind, "digest": digest_of(target), "size": len(target)}
        target = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
        kind = "application/vnd.oci.image.index.v1+json"
        blobs.append(target)
    with pytest.raises(errors.InvalidArgument, match="is nested too deeply"):
        planned(content, layout_of([target], blobs))


def entry(**changed: object) -> bytes:
    return json.dumps(
        [{"Config": "config.json", "RepoTags": [], "Layers": ["0/layer.tar", "1/layer.tar"]} | changed]
    ).encode()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"manifest.json": b"{}"}, "invalid manifest.json"),
        ({"manifest.json": b"\xff"}, "invalid manifest.json"),
        ({"manifest.json": entry(Layers=["0/layer.tar"])}, "layers length mismatch: expected 2, got 1"),
        ({"manifest.json": entry(Config="../../etc/passwd")}, "open ../../etc/passwd: no such file or directory"),
        ({"manifest.json": entry(RepoTags=["untagged"])}, 'invalid tag "docker.io/library/untagged"'),
        ({"index.json": oci_layout(LAYERS)["index.json"]}, "content sha256:.*: not found"),
    ],
)
def test_an_archive_that_does_not_add_up_is_refused(
    content: ContentStore, changed: dict[str, bytes], message: str
) -> None:
    with pytest.raises(errors.InvalidArgument, match=message):
        planned(content, docker_archive(LAYERS, ["a:1"]) | changed)


def test_the_old_form_is_told_from_no_image_at_all(content: ContentStore) -> None:
    with pytest.raises(errors.InvalidArgument, match=r"form of before 1\.10"):
        planned(content, {"repositories": b"{}"})
    with pytest.raises(errors.InvalidArgument, match=r"^open manifest.json: no such file or directory$"):
        planned(content, {"x": b""})


def test_a_compression_without_a_media_type_is_refused(content: ContentStore) -> None:
    import bz2

    stored = content.put(bz2.compress(LAYERS[0]), ref="x")
    with pytest.raises(errors.InvalidArgument, match="has no media type"):
        layer_descriptor(content, stored.digest)
