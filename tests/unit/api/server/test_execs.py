import pytest

from support.api_serving import check_answer, check_refusal

ANSWERS = [
    ("POST", "/containers/c1/exec", b'{"Cmd":["true"]}', 201, '{"Id":"e'),
    ("GET", "/exec/c1/json", b"", 200, '"ID":"c1"'),
    ("POST", "/exec/c1/resize?h=24&w=80", b"", 200, ""),
]


REFUSALS = [
    ("POST", "/containers/c1/exec", b"", 400, "No exec command specified"),
    ("POST", "/containers/c1/exec", b"{}", 400, "No exec command specified"),
    (
        "POST",
        "/containers/c1/exec",
        b'{"Cmd":5}',
        400,
        "invalid JSON: json: cannot unmarshal number into Go struct field ExecOptions.Cmd of type []string",
    ),
    ("POST", "/exec/nope/start", b"{}", 404, "No such exec instance: nope"),
    ("GET", "/exec/nope/json", b"", 404, "No such exec instance: nope"),
    ("POST", "/exec/c1/resize", b"", 400, 'invalid resize height "": invalid syntax'),
]


@pytest.mark.parametrize(("method", "target", "body", "status", "part"), ANSWERS)
def test_endpoints_answer_as_docker_does(method: str, target: str, body: bytes, status: int, part: str) -> None:
    check_answer(method, target, body, status=status, part=part)


@pytest.mark.parametrize(("method", "target", "body", "status", "message"), REFUSALS)
def test_endpoints_refuse_in_dockers_words(method: str, target: str, body: bytes, status: int, message: str) -> None:
    check_refusal(method, target, body, status=status, message=message)
