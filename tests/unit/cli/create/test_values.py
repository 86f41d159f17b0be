import pytest

from sampan.cli.create import values
from sampan.errors import InvalidArgument


def test_csv_fields_may_be_quoted() -> None:
    assert values.csv_fields('a,"b,c","d""e",') == ["a", "b,c", 'd"e', ""]


@pytest.mark.parametrize("text", ['a"b', '"a'])
def test_broken_quotes_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="parse error on line 1"):
        values.csv_fields(text)


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("all", {"Count": -1}),
        ("2", {"Count": 2}),
        ('"device=0,1"', {"DeviceIDs": ["0", "1"]}),
        ("driver=nvidia,count=1", {"Driver": "nvidia", "Count": 1}),
    ],
)
def test_gpus_are_requested(text: str, request_: dict[str, object]) -> None:
    found = values.parse_gpus(text)[0]
    assert {key: found[key] for key in request_} == request_
    assert found["Capabilities"] == [["gpu"]]


@pytest.mark.parametrize("text", ["nofile", "foo=1", "nofile=1:2:3", "nofile=5:3", "nofile=-1:3", "nofile=x"])
def test_a_bad_ulimit_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        values.parse_ulimit(text)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("a:1.2.3.4", "a:1.2.3.4"),
        ("a=::1", "a:::1"),
        ("a:[::2]", "a:::2"),
        ("a:::3", "a:::3"),
        ("a:host-gateway", "a:host-gateway"),
    ],
)
def test_a_host_entry_has_several_spellings(text: str, entry: str) -> None:
    assert values.parse_add_host(text) == [entry]


@pytest.mark.parametrize("text", ["foo", "foo:bar", ":1.2.3.4"])
def test_a_bad_host_entry_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="add-host"):
        values.parse_add_host(text)


def test_rates_name_a_device() -> None:
    assert values.parse_bytes_rate("/dev/a:1mb") == [{"Path": "/dev/a", "Rate": 1 << 20}]
    assert values.parse_operations_rate("/dev/a:5") == [{"Path": "/dev/a", "Rate": 5}]
    with pytest.raises(InvalidArgument, match="bad format for device path"):
        values.parse_bytes_rate("a:5")


def test_only_namespaced_sysctls_pass() -> None:
    assert values.parse_sysctl("net.core.somaxconn=5") == {"net.core.somaxconn": "5"}
    with pytest.raises(InvalidArgument, match=r"'vm\.swappiness=1' is not allowed"):
        values.parse_sysctl("vm.swappiness=1")
