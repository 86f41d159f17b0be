import json

import pytest

from sampan import errors
from sampan.api.wire.exec import ExecConfig, ExecCreated, ExecInspect, ExecStart, ProcessConfig
from sampan.api.wire.gojson import decode, encode


@pytest.mark.parametrize("shape", [ExecConfig, ExecStart])
def test_every_field_may_be_null(shape: type[ExecConfig] | type[ExecStart]) -> None:
    for field in shape.__struct_encode_fields__:
        assert decode(f'{{"{field}":null}}'.encode(), shape) == shape()


def test_a_console_has_two_dimensions() -> None:
    assert decode(b'{"Cmd":["a"],"Tty":true,"ConsoleSize":[24,80]}', ExecConfig).console_size == (24, 80)
    with pytest.raises(errors.InvalidArgument, match="ConsoleSize"):
        decode(b'{"ConsoleSize":[-1,80]}', ExecConfig)


def test_a_name_that_nobody_knows_is_refused() -> None:
    with pytest.raises(errors.InvalidArgument, match='unknown field "Comand"'):
        decode(b'{"Comand":["a"]}', ExecConfig)


def test_an_inspect_of_an_exec_that_runs_has_no_exit_code() -> None:
    process = ProcessConfig(entrypoint="sh", arguments=["-c"], privileged=False)
    written = json.loads(encode(ExecInspect(id="e", running=True, process_config=process, container_id="c", pid=5)))
    assert written == {
        "ID": "e",
        "Running": True,
        "ExitCode": None,
        "ProcessConfig": {"tty": False, "entrypoint": "sh", "arguments": ["-c"], "privileged": False},
        "OpenStdin": False,
        "OpenStderr": False,
        "OpenStdout": False,
        "CanRemove": False,
        "ContainerID": "c",
        "DetachKeys": "",
        "Pid": 5,
    }


def test_a_user_is_told_when_there_is_one() -> None:
    assert b'"user":"web"' in encode(ProcessConfig(user="web"))
    assert encode(ExecCreated(id="e")) == b'{"Id":"e"}'
