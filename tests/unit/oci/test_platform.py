import pytest

from sampan import errors
from sampan.oci.descriptor import Descriptor, Platform
from sampan.oci.platform import best, format_platform, host_platform, images_only, matches, parse_platform


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("arm64", "linux/arm64"),
        ("Linux/AMD64", "linux/amd64"),
    ],
)
def test_a_platform_is_normalised(text: str, normal: str) -> None:
    assert format_platform(parse_platform(text)) == normal


def test_an_operating_system_alone_means_this_machines_architecture() -> None:
    assert parse_platform("linux").architecture == host_platform().architecture


@pytest.mark.parametrize("text", ["", "a/b/c/d", "linux//", "li nux/amd64"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        parse_platform(text)


@pytest.mark.parametrize(
    ("wanted", "offered", "fits"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/amd64", "linux/arm64", False),
        ("linux/arm/v7", "linux/arm/v6", True),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("linux/amd64", "linux/amd64/v3", False),
        ("linux/amd64", "windows/amd64", False),
    ],
)
def test_a_machine_runs_its_own_and_older_variants(wanted: str, offered: str, fits: bool) -> None:
    assert matches(parse_platform(wanted), parse_platform(offered)) is fits


def test_the_closest_variant_is_the_best() -> None:
    offers = [
        Descriptor("t", variant, 1, platform=Platform(os="linux", architecture="arm", variant=variant))
        for variant in ("v5", "v7", "v6", "v8")
    ]
    found = best(parse_platform("linux/arm/v7"), offers)
    assert found is not None and found.digest == "v7"
    assert best(parse_platform("linux/amd64"), offers) is None


def test_attestations_are_no_images() -> None:
    attestation = Descriptor("t", "a", 1, platform=Platform(os="unknown", architecture="unknown"))
    image = Descriptor("t", "b", 1)
    assert images_only([attestation, image]) == [image]
