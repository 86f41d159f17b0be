import copy
from typing import Any

import pytest

from sampan.runtime.identity import Identity
from sampan.runtime.shim.foreign import bundle

SPEC: dict[str, Any] = {
    "ociVersion": "1.2.1",
    "process": {"user": {"uid": 0, "gid": 0}, "args": ["sh"], "env": ["A=1"], "cwd": "/"},
    "root": {"path": "ignored", "readonly": True},
    "mounts": [
        {"destination": "/v", "type": "bind", "source": "/host", "options": ["rbind", "x-sampan.copy-up", "rprivate"]},
        {"destination": "/proc", "type": "proc"},
    ],
    "linux": {"namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "mount"}], "cgroupsPath": "/s/c1"},
    "annotations": {"sampan.init": "true", "mine": "x"},
}
APP = Identity(1000, 100, [10, 1001], "/home/app")
ROOT = Identity(0, 0, [], "/root")


def test_the_user_goes_in_numbers_and_has_a_home() -> None:
    found = bundle.config(SPEC, APP)["process"]
    assert found["user"] == {"uid": 1000, "gid": 100, "additionalGids": [10, 1001]}
    assert found["env"] == ["A=1", "HOME=/home/app"]


def test_no_groups_are_no_empty_list_and_a_home_of_the_users_own_stays() -> None:
    process = {**SPEC["process"], "user": {"additionalGids": [5], "umask": 7}, "env": ["HOME=/x"]}
    found = bundle.process(process, ROOT)
    assert found["user"] == {"uid": 0, "gid": 0, "umask": 7}
    assert found["env"] == ["HOME=/x"]


def test_what_only_our_own_runtime_understands_is_left_out() -> None:
    found = bundle.config(SPEC, ROOT)
    assert found["mounts"][0]["options"] == ["rbind", "rprivate"]
    assert found["annotations"] == {"mine": "x"}
    assert "annotations" not in bundle.config({**SPEC, "annotations": {"sampan.init": "true"}}, ROOT)


def test_the_network_namespace_goes_by_its_path_unless_it_has_one_or_none_is_given() -> None:
    found = bundle.config(SPEC, ROOT, namespace_paths={"network": "/proc/1/fd/9"})["linux"]["namespaces"]
    assert found == [{"type": "pid"}, {"type": "network", "path": "/proc/1/fd/9"}, {"type": "mount"}]
    assert bundle.config(SPEC, ROOT)["linux"]["namespaces"] == SPEC["linux"]["namespaces"]
    own = {**SPEC, "linux": {"namespaces": [{"type": "network", "path": "/its"}]}}
    assert bundle.config(own, ROOT, namespace_paths={"network": "/x"})["linux"]["namespaces"] == [
        {"type": "network", "path": "/its"}
    ]


def test_the_root_is_in_the_bundle_and_the_version_one_that_all_take() -> None:
    found = bundle.config(SPEC, ROOT)
    assert found["root"] == {"path": "rootfs", "readonly": True}
    assert found["ociVersion"] == "1.0.2"


def test_sources_can_be_replaced_and_the_config_it_is_made_from_stays() -> None:
    before = copy.deepcopy(SPEC)
    found = bundle.config(SPEC, APP, namespace_paths={"network": "/n"}, sources={0: "/elsewhere"})
    assert found["mounts"][0]["source"] == "/elsewhere" and "source" not in found["mounts"][1]
    assert before == SPEC


@pytest.mark.parametrize(
    ("options", "is_shared"),
    [(["rbind", "rshared"], True), (["shared"], True), (["rbind", "rslave"], False), (["shared", "rprivate"], False)],
)
def test_mounts_that_travel_to_the_host_are_told_from_the_others(options: list[str], is_shared: bool) -> None:
    mounts = [{"destination": "/x", "source": "/h", "options": options}, {"destination": "/y", "options": ["rshared"]}]
    assert bundle.shared_binds({"mounts": mounts}) == ([0] if is_shared else [])


def test_what_is_idmapped_already_is_not_asked_for_again() -> None:
    mapped = {"destination": "/v", "source": "/s", "uidMappings": [{}], "gidMappings": [{}], "options": []}
    found = bundle.config({**SPEC, "mounts": [mapped]}, ROOT, sources={0: "/run/mapped-0"})["mounts"]
    assert found == [{"destination": "/v", "source": "/run/mapped-0", "options": []}]


def test_a_user_namespace_goes_by_a_path_with_its_mappings() -> None:
    linux = {**SPEC["linux"], "namespaces": [{"type": "user"}], "uidMappings": [1], "gidMappings": [2]}
    found = bundle.config({**SPEC, "linux": linux}, ROOT, namespace_paths={"user": "/proc/1/fd/8"})["linux"]
    assert found["namespaces"] == [{"type": "user", "path": "/proc/1/fd/8"}]
    assert (found["uidMappings"], found["gidMappings"]) == ([1], [2])
