"""Bodies of older API versions mean what they always meant."""

import pytest

from sampan import errors
from sampan.api.server.compat import (
    MAC_WARNING,
    listed_image,
    new_container,
    shown_container,
    shown_image,
    shown_info,
)
from sampan.api.wire.container import ContainerConfig, ContainerInspect, CreateBody
from sampan.api.wire.gojson import decode
from sampan.api.wire.image import Descriptor, ImageInspect, ImageSummary
from sampan.api.wire.network import EndpointSettings, NetworkSettings
from sampan.api.wire.system import Commit, FirewallBackend, Info


def body(text: str) -> CreateBody:
    return decode(f'{{"Image":"i",{text or chr(34) + "User" + chr(34) + ":null"}}}'.encode(), CreateBody)


def test_the_default_network_is_the_bridge_and_takes_its_endpoint_along() -> None:
    wanted, _ = new_container(
        body('"NetworkingConfig":{"EndpointsConfig":{"default":{"Aliases":["a"]}}}'), name="", platform="", api=51
    )
    assert wanted.host.network_mode == "bridge"
    assert wanted.networking.endpoints_config == {"bridge": EndpointSettings(aliases=["a"])}


@pytest.mark.parametrize(
    ("api", "given", "kept"),
    [
        (24, '"AutoRemove":true', ("auto_remove", False)),
        (25, '"AutoRemove":true', ("auto_remove", True)),
        (39, '"KernelMemoryTCP":5', ("kernel_memory_tcp", 0)),
        (39, '"IpcMode":""', ("ipc_mode", "shareable")),
        (40, '"IpcMode":""', ("ipc_mode", "")),
        (41, '"ConsoleSize":[1,2]', ("console_size", (0, 0))),
        (42, '"ConsoleSize":[1,2]', ("console_size", (1, 2))),
        (41, '"KernelMemory":5', ("kernel_memory", 5)),
        (42, '"KernelMemory":5', ("kernel_memory", 0)),
        (42, '"Annotations":{"a":"b"}', ("annotations", {})),
        (43, '"Annotations":{"a":"b"}', ("annotations", {"a": "b"})),
        (51, '"PidsLimit":-1', ("pids_limit", None)),
        (51, '"PidsLimit":7', ("pids_limit", 7)),
    ],
)
def test_fields_count_from_the_version_that_brought_them(api: int, given: str, kept: tuple[str, object]) -> None:
    wanted, _ = new_container(body(f'"HostConfig":{{{given}}}'), name="", platform="", api=api)
    assert getattr(wanted.host, kept[0]) == kept[1]


@pytest.mark.parametrize(
    ("api", "mount", "message"),
    [
        (47, '"Type":"image"', 'Mount type "Image" needs API v1.48 or newer'),
        (44, '"Type":"volume","VolumeOptions":{"Subpath":"x"}', "VolumeOptions.Subpath needs API v1.45 or newer"),
        (42, '"Type":"bind","VolumeOptions":{}', 'VolumeOptions must not be specified on mount type "bind"'),
        (51, '"Type":"tmpfs","BindOptions":{}', 'BindOptions must not be specified on mount type "tmpfs"'),
        (
            43,
            '"Type":"bind","BindOptions":{"ReadOnlyForceRecursive":true}',
            "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer",
        ),
    ],
)
def test_mounts_that_a_version_does_not_know_are_refused(api: int, mount: str, message: str) -> None:
    with pytest.raises(errors.InvalidArgument) as refused:
        new_container(body(f'"HostConfig":{{"Mounts":[{{{mount}}}]}}'), name="", platform="", api=api)
    assert str(refused.value) == message


def test_options_of_the_wrong_mount_type_were_ignored_before_1_42() -> None:
    given = body('"HostConfig":{"Mounts":[{"Type":"bind","VolumeOptions":{"NoCopy":true}}]}')
    wanted, _ = new_container(given, name="", platform="", api=41)
    assert wanted.host.mounts[0].volume_options is None


def test_the_container_wide_mac_address_moves_to_the_main_network() -> None:
    given = body('"MacAddress":"02:00:00:00:00:01"')
    wanted, warnings = new_container(given, name="", platform="", api=51)
    assert (wanted.config.mac_address, warnings) == ("", [MAC_WARNING])
    assert wanted.networking.endpoints_config == {"bridge": EndpointSettings(mac_address="02:00:00:00:00:01")}
    _, warnings = new_container(given, name="", platform="", api=43)
    assert warnings == []


def test_two_different_mac_addresses_are_a_contradiction() -> None:
    given = body('"MacAddress":"02::1","NetworkingConfig":{"EndpointsConfig":{"bridge":{"MacAddress":"02::2"}}}')
    with pytest.raises(errors.InvalidArgument, match="must match the endpoint-specific MAC address"):
        new_container(given, name="", platform="", api=51)


def test_several_networks_need_version_1_44() -> None:
    given = body('"NetworkingConfig":{"EndpointsConfig":{"a":{},"b":null}}')
    with pytest.raises(errors.InvalidArgument, match="multiple network endpoints: a, b"):
        new_container(given, name="", platform="", api=43)
    wanted, _ = new_container(given, name="", platform="", api=44)
    assert wanted.networking.endpoints_config == {"a": EndpointSettings(), "b": None}


def test_the_platform_is_a_parameter_since_1_41() -> None:
    assert new_container(body(""), name="n", platform="linux/arm64", api=41)[0].platform == "linux/arm64"
    assert new_container(body(""), name="n", platform="linux/arm64", api=40)[0].platform == ""


def test_old_clients_see_the_short_id_among_the_aliases() -> None:
    found = ContainerInspect(
        id="0123456789abcdef",
        config=ContainerConfig(hostname="h"),
        network_settings=NetworkSettings(networks={"mine": EndpointSettings(aliases=["web"])}),
    )
    endpoint = shown_container(found, api=44).network_settings.networks["mine"]
    assert endpoint is not None
    assert endpoint.aliases == ["web", "0123456789ab", "h"]
    assert shown_container(found, api=51) is found


def test_old_clients_see_images_as_they_used_to_be() -> None:
    shown = shown_image(ImageInspect(size=5, descriptor=Descriptor()), api=43)
    assert isinstance(shown, dict)
    assert (shown["VirtualSize"], shown["Config"]["Hostname"], "Descriptor" in shown) == (5, "", False)
    assert listed_image(ImageSummary(size=5, containers=2), api=42).repo_tags == ["<none>:<none>"]
    assert listed_image(ImageSummary(size=5, containers=2), api=50).containers == -1
    assert listed_image(ImageSummary(containers=2), api=51).containers == 2


def test_old_clients_see_the_info_of_their_version() -> None:
    found = Info(runc_commit=Commit(id="x"), firewall_backend=FirewallBackend(driver="nftables"))
    shown = shown_info(found, api=48)
    assert isinstance(shown, dict)
    assert (shown["RuncCommit"]["Expected"], "FirewallBackend" in shown, shown["BridgeNfIptables"]) == (
        "x",
        False,
        False,
    )
