import pytest

from sampan.client.hosts import DEFAULT_SOCKET, parse_host
from sampan.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "path", "name", "port"),
    [
        ("unix:///run/x.sock", "/run/x.sock", "", 0),
        ("unix://", DEFAULT_SOCKET, "", 0),
        ("tcp://h:5", "", "h", 5),
        ("tcp://h", "", "h", 2375),
        ("h:5", "", "h", 5),
        ("tcp://:5", "", "localhost", 5),
        ("tcp://[::1]:5", "", "::1", 5),
        ("http://h:80/", "", "h", 80),
    ],
)
def test_an_address_is_read(text: str, path: str, name: str, port: int) -> None:
    host = parse_host(text)
    assert (host.path, host.name, host.port) == (path, name, port)


@pytest.mark.parametrize("text", ["foo://x", "ssh://a@b", "tcp://h:x", "tcp://h:99999"])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"unable to (parse|resolve) docker"):
        parse_host(text)


def test_the_host_field_never_holds_a_path() -> None:
    assert parse_host("unix:///a/b").header == "api.sampan.localhost"
    assert parse_host("tcp://[::1]:5").header == "[::1]:5"
