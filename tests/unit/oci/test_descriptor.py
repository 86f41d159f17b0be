import json

import msgspec
import pytest

from sampan.oci import descriptor as d
from sampan.oci.descriptor import Descriptor, Platform, is_layer


def test_absent_members_are_not_written() -> None:
    assert json.loads(msgspec.json.encode(Descriptor("t", "sha256:x", 3))) == {
        "mediaType": "t",
        "digest": "sha256:x",
        "size": 3,
    }


def test_the_version_of_an_operating_system_has_a_dot_in_its_name() -> None:
    assert b'"os.version":"10"' in msgspec.json.encode(Platform(os="windows", os_version="10"))


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        (d.OCI_LAYER, True),
        (d.OCI_LAYER + "+gzip", True),
        (d.OCI_LAYER + "+zstd", True),
        (d.DOCKER_LAYER + ".gzip", True),
        (d.OCI_CONFIG, False),
        ("application/vnd.in-toto+json", False),
    ],
)
def test_tar_changesets_are_told_from_other_blobs(media_type: str, expected: bool) -> None:
    assert is_layer(media_type) is expected
