import json

from sampan.api.wire.gojson import encode
from sampan.api.wire.image import (
    DeletedImage,
    Descriptor,
    DriverData,
    HistoryItem,
    ImageConfig,
    ImageInspect,
    ImageSummary,
    Platform,
    RootFS,
)


def test_an_empty_configuration_has_the_fields_of_api_1_50() -> None:
    written = json.loads(encode(ImageConfig()))
    assert sorted(written) == sorted("Cmd Entrypoint Env Labels OnBuild User Volumes WorkingDir".split())


def test_an_inspect_spells_its_names_as_docker_does() -> None:
    written = json.loads(encode(ImageInspect(id="sha256:1", root_fs=RootFS(type="layers", layers=["sha256:2"]))))
    assert written["Id"] == "sha256:1"
    assert written["RootFS"] == {"Type": "layers", "Layers": ["sha256:2"]}
    assert written["GraphDriver"] == {"Data": None, "Name": ""}
    assert (written["RepoTags"], written["RepoDigests"]) == ([], [])
    for name in ("Variant", "OsVersion", "VirtualSize", "Descriptor", "Created"):
        assert name not in written


def test_sizes_that_were_not_asked_for_are_minus_one() -> None:
    written = json.loads(encode(ImageSummary()))
    assert (written["SharedSize"], written["Containers"], written["Size"]) == (-1, -1, 0)
    assert (written["Labels"], written["RepoTags"]) == (None, [])
    assert b'"Containers":0' in encode(ImageSummary(containers=0))


def test_a_deletion_says_one_of_two_things() -> None:
    assert encode(DeletedImage(untagged="box:1")) == b'{"Untagged":"box:1"}'
    assert encode(DeletedImage(deleted="sha256:1")) == b'{"Deleted":"sha256:1"}'


def test_a_line_of_history_without_tags_says_null() -> None:
    assert json.loads(encode(HistoryItem(id="<missing>")))["Tags"] is None


def test_a_descriptor_keeps_the_spelling_of_oci() -> None:
    platform = Platform(architecture="arm64", os="linux", os_version="1", variant="v8")
    written = json.loads(encode(Descriptor(media_type="m", digest="sha256:1", size=5, platform=platform)))
    assert written == {
        "mediaType": "m",
        "digest": "sha256:1",
        "size": 5,
        "platform": {"architecture": "arm64", "os": "linux", "os.version": "1", "variant": "v8"},
    }


def test_a_driver_without_data_says_null() -> None:
    assert encode(DriverData(name="overlay2")) == b'{"Data":null,"Name":"overlay2"}'
