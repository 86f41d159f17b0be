import json

import pytest

from sampan import errors
from sampan.oci.digest import digest_of
from sampan.oci.image import History, ImageConfig, RootFS, RunConfig, encode_config, layer_history, parse_config

DIFF_ID = digest_of(b"layer")
ROOTFS = {"type": "layers", "diff_ids": [DIFF_ID]}


def test_nulls_and_unknown_members_are_as_if_absent() -> None:
    config = {"Env": None, "User": None, "Cmd": ["sh"], "Hostname": "x", "OnBuild": None}
    parsed = parse_config(json.dumps({"os": None, "config": config, "rootfs": ROOTFS, "x": 1}).encode())
    assert parsed.os == ""
    assert parsed.config == RunConfig(cmd=["sh"])
    assert parse_config(json.dumps({"config": None, "rootfs": ROOTFS}).encode()).config is None


def test_a_configuration_is_written_with_the_names_that_docker_uses() -> None:
    config = ImageConfig(
        architecture="amd64",
        config=RunConfig(exposed_ports={"80/tcp": {}}, on_build=["RUN x"], stop_signal="TERM"),
        os="linux",
        rootfs=RootFS(diff_ids=[DIFF_ID]),
    )
    assert json.loads(encode_config(config)) == {
        "architecture": "amd64",
        "config": {"ExposedPorts": {"80/tcp": {}}, "OnBuild": ["RUN x"], "StopSignal": "TERM"},
        "os": "linux",
        "rootfs": ROOTFS,
    }
    assert parse_config(encode_config(config)) == config


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", "no RootFS key"),
        (b"[1]", "invalid image JSON"),
        (b"xx", "invalid image JSON"),
        (json.dumps({"rootfs": {"diff_ids": ["x"]}}).encode(), "invalid checksum digest format"),
        (json.dumps({"rootfs": ROOTFS, "config": {"Cmd": 1}}).encode(), "invalid image JSON"),
    ],
)
def test_what_is_no_configuration_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=message):
        parse_config(content)


def test_each_step_of_the_history_has_the_layer_it_made() -> None:
    steps = [History(comment="a"), History(comment="b", empty_layer=True), History(comment="c"), History(comment="d")]
    config = ImageConfig(history=steps, rootfs=RootFS(diff_ids=[DIFF_ID, DIFF_ID]))
    assert [layer for _, layer in layer_history(config)] == [0, None, 1, None]
    assert layer_history(ImageConfig()) == []
