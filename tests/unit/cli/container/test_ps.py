import pytest

from sampan.cli.container import ps


def port(private: int, public: int = 0, address: str = "", kind: str = "tcp") -> dict[str, object]:
    found: dict[str, object] = {"PrivatePort": private, "Type": kind}
    return found | ({"PublicPort": public, "IP": address} if public else {})


@pytest.mark.parametrize(
    ("published", "text"),
    [
        ([], ""),
        ([port(80)], "80/tcp"),
        ([port(82), port(80), port(81), port(90)], "80-82/tcp, 90/tcp"),
        ([port(80, 8080, "0.0.0.0"), port(80, 8080, "::")], "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"),
        ([port(n, n, "0.0.0.0") for n in (80, 81, 83)], "0.0.0.0:80-81->80-81/tcp, 0.0.0.0:83->83/tcp"),
        ([port(53, 53, "0.0.0.0", "udp"), port(53)], "53/tcp, 0.0.0.0:53->53/udp"),
    ],
)
def test_ports_are_grouped_as_docker_groups_them(published: list[dict[str, object]], text: str) -> None:
    assert ps.ports(published) == text


def summary(**fields: object) -> dict[str, object]:
    return {
        "Id": "ab" * 32,
        "Image": "web:1",
        "ImageID": "sha256:" + "cd" * 32,
        "Created": 1000,
        "Names": ["/web"],
    } | fields


def cells(truncates: bool = True, **fields: object) -> dict[str, str]:
    row = ps.row(summary(**fields), truncates=truncates, now_s=1120)
    return {name: cell() if callable(cell) and name != "Label" else cell for name, cell in row.items()}


def test_a_row_is_short_unless_told_otherwise() -> None:
    short = cells(Command="a long command line with words", Mounts=[{"Name": "x" * 30, "Driver": "local"}])
    assert short["Command"] == '"a long command line…"'
    assert (short["ID"], short["RunningFor"], short["Names"]) == ("abababababab", "2 minutes ago", "web")
    assert (short["Mounts"], short["LocalVolumes"]) == ("x" * 14 + "…", "1")
    full = cells(truncates=False, Command='say "hi"')
    assert (full["ID"], full["Command"]) == ("ab" * 32, '"say \\"hi\\""')


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        ("", "<no image>"),
        ("web:1@sha256:" + "ef" * 32, "web:1"),
        ("sha256:" + "cd" * 32, "cdcdcdcdcdcd"),
        ("cdcdcdcdcdcd", "cdcdcdcdcdcd"),
    ],
)
def test_an_image_is_named_without_its_digest(image: str, shown: str) -> None:
    assert cells(Image=image)["Image"] == shown


def test_names_of_links_are_shown_only_in_full() -> None:
    assert cells(Names=["/db", "/web/db"])["Names"] == "db"
    assert cells(truncates=False, Names=["/db", "/web/db"])["Names"] == "db,web/db"


def test_sizes_name_the_whole_when_it_is_known() -> None:
    assert cells(SizeRw=5, SizeRootFs=1984172)["Size"] == "5B (virtual 1.98MB)"
    assert cells()["Size"] == "0B"


def test_filters_are_sent_as_sets() -> None:
    assert ps.filters_query([("name", "a"), ("name", "b"), ("label", "x=y")]) == (
        '{"name":{"a":true,"b":true},"label":{"x=y":true}}'
    )
