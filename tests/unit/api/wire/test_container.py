import json

import msgspec
import pytest

from sampan import errors
from sampan.api.wire.container import (
    ContainerConfig,
    ContainerInspect,
    ContainerState,
    ContainerSummary,
    CreateBody,
    CreateResponse,
    HealthConfig,
    PortSummary,
    WaitError,
    WaitResponse,
)
from sampan.api.wire.gojson import decode, encode

ALWAYS = (
    "Hostname Domainname User AttachStdin AttachStdout AttachStderr Tty OpenStdin StdinOnce Env Cmd Image Volumes "
    "WorkingDir Entrypoint OnBuild Labels"
)


def test_an_empty_configuration_has_the_fields_that_docker_writes_always() -> None:
    written = json.loads(encode(ContainerConfig()))
    assert sorted(written) == sorted(ALWAYS.split())
    assert (written["Env"], written["Labels"], written["Tty"], written["Image"]) == (None, None, False, "")


def test_a_configuration_survives_both_ways() -> None:
    config = ContainerConfig(
        image="i",
        cmd=["a", "b"],
        exposed_ports={"80/tcp": {}},
        labels={"a": "b"},
        stop_timeout=0,
        healthcheck=HealthConfig(test=["CMD", "x"], interval=1_000_000),
        args_escaped=True,
    )
    assert decode(encode(config), ContainerConfig) == config


def test_a_stop_timeout_of_nothing_differs_from_none() -> None:
    assert decode(b'{"StopTimeout":0}', ContainerConfig).stop_timeout == 0
    assert decode(b'{"StopTimeout":null}', ContainerConfig).stop_timeout is None
    assert b"StopTimeout" not in encode(ContainerConfig())


@pytest.mark.parametrize("body", [b'{"Healthcheck":{"Interval":"5s"}}', b'{"StopTimeout":1.5}', b'{"Volumes":["/a"]}'])
def test_a_field_of_another_type_is_refused(body: bytes) -> None:
    with pytest.raises(errors.InvalidArgument, match="cannot unmarshal"):
        decode(body, CreateBody)


def test_the_configuration_of_a_body_leaves_the_host_and_the_network_out() -> None:
    body = decode(b'{"Image":"i","HostConfig":{"Memory":5},"NetworkingConfig":{"EndpointsConfig":{}}}', CreateBody)
    assert body.host_config is not None and body.host_config.memory == 5
    assert body.networking_config is not None and body.networking_config.endpoints_config == {}
    assert type(body.config()) is ContainerConfig


def test_a_response_has_a_list_of_warnings_even_when_there_are_none() -> None:
    assert encode(CreateResponse(id="x")) == b'{"Id":"x","Warnings":[]}'


def test_a_wait_tells_an_error_only_when_there_is_one() -> None:
    assert encode(WaitResponse(status_code=3)) == b'{"StatusCode":3}'
    assert json.loads(encode(WaitResponse(error=WaitError(message="m"), status_code=1))) == {
        "Error": {"Message": "m"},
        "StatusCode": 1,
    }


def test_a_state_that_never_was_is_dated_in_the_year_one() -> None:
    written = json.loads(encode(ContainerState()))
    assert written["StartedAt"] == written["FinishedAt"] == "0001-01-01T00:00:00Z"
    assert written["OOMKilled"] is False
    assert "Health" not in written


def test_an_inspect_spells_its_names_as_docker_does() -> None:
    written = json.loads(encode(ContainerInspect(exec_ids=["e"], size_rw=0)))
    assert written["ExecIDs"] == ["e"]
    assert (written["SizeRw"], "SizeRootFs" in written) == (0, False)
    for name in ("ResolvConfPath", "AppArmorProfile", "HostConfig", "GraphDriver", "NetworkSettings", "Mounts", "Args"):
        assert name in written
    assert json.loads(encode(ContainerInspect()))["ExecIDs"] is None


def test_a_summary_leaves_out_the_ports_and_sizes_that_it_does_not_know() -> None:
    written = json.loads(encode(ContainerSummary(ports=[PortSummary(private_port=80, type="tcp")])))
    assert written["Ports"] == [{"PrivatePort": 80, "Type": "tcp"}]
    assert "SizeRw" not in written
    assert (written["Labels"], written["Names"], written["HostConfig"]) == (None, [], {})


def test_values_do_not_change() -> None:
    with pytest.raises(AttributeError):
        ContainerConfig().image = "x"  # type: ignore[misc]
    assert msgspec.structs.replace(ContainerConfig(image="a"), image="b") == ContainerConfig(image="b")
