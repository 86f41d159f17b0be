import pytest

from sampan.cli.container.run import COMMAND
from sampan.cli.create.networks import networking
from sampan.cli.flags import parse
from sampan.errors import InvalidArgument


@pytest.mark.parametrize(
    ("words", "mode", "endpoints"),
    [
        ("", "default", {}),
        ("--network none", "none", {}),
        ("--net host", "host", {}),
        ("--network container:z", "container:z", {}),
        ("--network foo", "foo", {"foo": {}}),
        (
            "--network foo --network-alias x --ip 1.2.3.4 --ip6 ::5 --link a:b",
            "foo",
            {
                "foo": {
                    "Aliases": ["x"],
                    "Links": ["a:b"],
                    "IPAMConfig": {"IPv4Address": "1.2.3.4", "IPv6Address": "::5"},
                }
            },
        ),
        (
            "--network name=foo,alias=a,alias=b,ip=1.2.3.4,driver-opt=x=y,gw-priority=3 --network bar",
            "foo",
            {
                "foo": {
                    "Aliases": ["a", "b"],
                    "IPAMConfig": {"IPv4Address": "1.2.3.4"},
                    "DriverOpts": {"x": "y"},
                    "GwPriority": 3,
                },
                "bar": {},
            },
        ),
        ("--mac-address 92:d0:c6:0a:29:33 --link a:b", "default", {"default": {"MacAddress": "92:d0:c6:0a:29:33"}}),
    ],
)
def test_networks_are_read(words: str, mode: str, endpoints: dict[str, object]) -> None:
    assert networking(parse(COMMAND.flags, words.split())) == (mode, endpoints)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--network a --network a", 'network "a" is specified multiple times'),
        ("--network name=a,ip=1.2.3.4 --ip 1.2.3.5", "cannot specify both --ip and per-network IPv4 address"),
        ("--network name=a,foo=b", "invalid field key foo"),
        ("--network host --network a", "conflicting options"),
    ],
)
def test_networks_that_conflict_are_refused(words: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        networking(parse(COMMAND.flags, words.split()))
