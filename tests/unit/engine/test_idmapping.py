from sampan.api.wire.host import HostConfig
from sampan.engine.host import HostFacts
from sampan.engine.idmapping import Extent, IdMapping, mapping_of
from sampan.linux.mount import Mount, parse_options
from sampan.runtime import idmap

MAPPING = IdMapping.of_ranges([(100000, 65536), (300000, 10)], [(200000, 65536)])


def test_ranges_follow_each_other_inside() -> None:
    assert MAPPING.uids == (Extent(0, 100000, 65536), Extent(65536, 300000, 10))
    assert MAPPING.root == (100000, 200000)


def test_the_oci_config_has_it_by_its_own_names() -> None:
    assert MAPPING.to_oci() == {
        "uidMappings": [
            {"containerID": 0, "hostID": 100000, "size": 65536},
            {"containerID": 65536, "hostID": 300000, "size": 10},
        ],
        "gidMappings": [{"containerID": 0, "hostID": 200000, "size": 65536}],
    }


def test_a_roots_mount_says_it_in_a_word_that_the_runtime_understands() -> None:
    (mount,) = MAPPING.on_layers([Mount("overlay", "overlay", "", ["lowerdir=1"])])
    assert mount.options[0] == "lowerdir=1"
    (word,) = parse_options(mount.options).ours
    found = idmap.parse(word.removeprefix("x-sampan.idmap="))
    assert found.uids == [(0, 100000, 65536), (65536, 300000, 10)] and found.gids == [(0, 200000, 65536)]


def test_a_container_may_stay_in_the_hosts_user_namespace() -> None:
    facts = HostFacts(hostname="vm", id_mapping=MAPPING)
    modes = ("", "private", "host")
    assert [mapping_of(HostConfig(userns_mode=mode), facts) for mode in modes] == [MAPPING, MAPPING, None]
    assert mapping_of(HostConfig(), HostFacts(hostname="vm")) is None
