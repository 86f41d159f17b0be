"""Docker's JSON is read as Go reads it, and refused in Go's words."""

import pytest

from sampan import errors
from sampan.api.wire.container import ContainerConfig, CreateBody
from sampan.api.wire.exec import ExecConfig, ExecStart
from sampan.api.wire.gojson import decode, encode
from sampan.api.wire.host import HostConfig
from sampan.api.wire.network import PortBinding

STRUCT = "invalid JSON: json: cannot unmarshal {} into Go struct field {} of type {}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "invalid JSON: got EOF while reading request body"),
        (b'{"Image":"a"', "invalid JSON: unexpected EOF"),
        (b'{"Image":"a"} x', "unexpected content after JSON"),
        (b'{"Image":"a"}{}', "unexpected content after JSON"),
        (b"xyz", "invalid JSON: invalid character 'x' looking for beginning of value"),
        (b"[1]", "invalid JSON: json: cannot unmarshal array into Go value of type container.CreateRequest"),
        (b'{"Image":5}', STRUCT.format("number", ".Image", "string")),
        (b'{"Tty":"yes"}', STRUCT.format("string", ".Tty", "bool")),
        (b'{"Env":[1]}', STRUCT.format("number", ".Env", "string")),
        (b'{"HostConfig":{"Memory":"x"}}', STRUCT.format("string", ".HostConfig.Memory", "int64")),
        (b'{"HostConfig":{"Memory":1.5}}', STRUCT.format("number", ".HostConfig.Memory", "int64")),
        (b'{"Labels":{"a":1}}', STRUCT.format("number", ".Labels", "string")),
        (b'{"Nope":1}', 'invalid JSON: json: unknown field "Nope"'),
        (b'{"HostConfig":{"Nope":1}}', 'invalid JSON: json: unknown field "Nope"'),
    ],
)
def test_what_go_refuses_is_refused_in_its_words(body: bytes, message: str) -> None:
    with pytest.raises(errors.InvalidArgument) as refused:
        decode(body, CreateBody)
    assert str(refused.value) == message


def test_null_is_the_zero_value_wherever_go_takes_it() -> None:
    body = decode(
        b'{"Hostname":null,"Tty":null,"StopTimeout":null,"ExposedPorts":{"80/tcp":null},"Labels":{"a":null},'
        b'"HostConfig":{"Memory":null,"ConsoleSize":null,"PortBindings":{"80/tcp":null},"LogConfig":null,'
        b'"Mounts":null,"Ulimits":[null]}}',
        CreateBody,
    )
    assert (body.hostname, body.tty, body.stop_timeout) == ("", False, None)
    assert (body.exposed_ports, body.labels) == ({"80/tcp": {}}, {"a": ""})
    assert body.host_config is not None
    assert (body.host_config.memory, body.host_config.console_size, body.host_config.mounts) == (0, (0, 0), [])
    assert body.host_config.port_bindings == {"80/tcp": None}


@pytest.mark.parametrize("field", [*CreateBody.__struct_encode_fields__])
def test_every_field_of_a_create_body_may_be_null(field: str) -> None:
    assert decode(f'{{"{field}":null}}'.encode(), CreateBody) == CreateBody()


@pytest.mark.parametrize("field", [*HostConfig.__struct_encode_fields__])
def test_every_field_of_a_host_config_may_be_null(field: str) -> None:
    assert decode(f'{{"{field}":null}}'.encode(), HostConfig) == HostConfig()


def test_names_match_without_regard_to_case() -> None:
    body = decode(b'{"image":"i","HOSTCONFIG":{"portbindings":{"80/tcp":[{"hostPort":"8"}]}}}', CreateBody)
    assert body.host_config is not None
    assert (body.image, body.host_config.port_bindings) == ("i", {"80/tcp": [PortBinding(host_port="8")]})


def test_a_command_may_be_one_string() -> None:
    body = decode(b'{"Cmd":"sleep 1","Entrypoint":"/x","HostConfig":{"CapAdd":"NET_ADMIN"}}', CreateBody)
    assert body.host_config is not None
    assert (body.cmd, body.entrypoint, body.host_config.cap_add) == (["sleep 1"], ["/x"], ["NET_ADMIN"])


@pytest.mark.parametrize(
    ("client", "body"),
    [
        ("docker-py", b'{"Image":"i","Runtime":null,"NetworkDisabled":false,"MacAddress":null,"Volumes":null}'),
        ("dockerode", b'{"Image":"i","name":"x","platform":"linux/amd64"}'),
        ("go-dockerclient", b'{"Image":"i","Memory":0,"MemorySwap":0,"CpuShares":0,"PortSpecs":null,"VolumesFrom":""}'),
        ("docker 19.03", b'{"Image":"i","HostConfig":{"KernelMemory":0,"KernelMemoryTCP":0,"Capabilities":null}}'),
        ("docker-java", b'{"Image":"i","HostConfig":{"DiskQuota":0,"LxcConf":null}}'),
    ],
)
def test_fields_of_old_clients_are_known(client: str, body: bytes) -> None:
    assert decode(body, CreateBody).image == "i"


def test_execs_of_docker_py_and_dockerode_are_understood() -> None:
    config = decode(b'{"Container":"x","detachKeys":"ctrl-a","Cmd":["a"],"User":null}', ExecConfig)
    assert (config.detach_keys, config.cmd) == ("ctrl-a", ["a"])
    assert decode(b'{"hijack":true,"stdin":true,"Detach":false,"Tty":true}', ExecStart).tty


def test_the_configuration_alone_is_what_an_image_has_too() -> None:
    body = decode(b'{"Image":"i","Cmd":["a"],"HostConfig":{}}', CreateBody)
    assert body.config() == ContainerConfig(image="i", cmd=["a"])


def test_empty_values_are_written_where_docker_writes_them() -> None:
    written = encode(HostConfig()).decode()
    for part in ('"Binds":null', '"Memory":0', '"Privileged":false', '"ConsoleSize":[0,0]', '"IpcMode":""'):
        assert part in written
    for name in ("Annotations", "Tmpfs", "Sysctls", "Runtime", "Mounts", "Init", "KernelMemory", "StorageOpt"):
        assert f'"{name}"' not in written
