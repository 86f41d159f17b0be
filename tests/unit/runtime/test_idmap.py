from typing import Any

import pytest

from sampan.linux.mount import parse_options
from sampan.runtime import idmap

OWN = [{"containerID": 0, "hostID": 100000, "size": 10}, {"containerID": 10, "hostID": 5, "size": 2}]
LINUX: dict[str, Any] = {"uidMappings": OWN, "gidMappings": OWN, "namespaces": [{"type": "user"}]}
FIELDS: dict[str, Any] = {
    "uidMappings": [{"containerID": 1, "hostID": 2, "size": 3}],
    "gidMappings": [{"containerID": 4, "hostID": 5, "size": 6}],
}


def asked(*options: str, linux: dict[str, Any] | None = None, **fields: Any) -> idmap.IdMap | None:
    mount = {"destination": "/srv", "options": list(options), **fields}
    return idmap.of_mount(mount, parse_options(list(options)).ours, linux or {})


def found(*options: str, linux: dict[str, Any] | None = None, **fields: Any) -> tuple[Any, Any, bool, str]:
    got = asked(*options, linux=linux, **fields)
    assert got is not None
    return got.uids, got.gids, got.recursive, got.path


def test_most_mounts_have_none() -> None:
    assert asked("rbind", "ro", "x-sampan.copy-up") is None


@pytest.mark.parametrize(("word", "recursive"), [("ro", False), ("idmap", False), ("ridmap", True)])
def test_the_fields_of_the_mount_are_taken_with_and_without_the_word(word: str, recursive: bool) -> None:
    assert found("bind", word, **FIELDS) == ([(1, 2, 3)], [(4, 5, 6)], recursive, "")


def test_the_bare_word_means_the_containers_own_user_namespace() -> None:
    own = [(0, 100000, 10), (10, 5, 2)]
    assert found("ridmap", linux=LINUX) == (own, own, True, "")
    joined = {"namespaces": [{"type": "user", "path": "/proc/7/ns/user"}]}
    assert found("idmap", linux=joined) == ([], [], False, "/proc/7/ns/user")


def test_cruns_option_has_the_mappings_in_it() -> None:
    assert found("idmap=uids=0-1-10#10-30-5;gids=0-2-1") == ([(0, 1, 10), (10, 30, 5)], [(0, 2, 1)], False, "")
    assert found("ridmap=uids=@3-10-1;gids=@0-1-2", linux=LINUX) == ([(3, 5, 1)], [(0, 100001, 2)], True, "")


@pytest.mark.parametrize(
    ("options", "linux", "text"),
    [
        ("idmap", {}, "needs a user namespace"),
        ("idmap=uids=0-1", {}, "invalid mapping specified `0-1`"),
        ("idmap=uids=0-x-1", {}, "invalid mapping specified"),
        ("idmap=users=0-1-1", {}, "invalid option `users=0-1-1` specified"),
        ("idmap=uids=@0-0-1", {}, "without user namespace mappings"),
        ("idmap=uids=@0-99-1", LINUX, "could not find"),
    ],
)
def test_what_has_no_meaning_is_an_error(options: str, linux: dict[str, Any], text: str) -> None:
    with pytest.raises(OSError, match=text):
        asked(options, linux=linux)


def test_users_and_groups_are_mapped_together_or_not_at_all() -> None:
    with pytest.raises(OSError, match="invalid mappings specified for the mount on `/srv`"):
        asked("bind", uidMappings=OWN)


def test_an_id_is_found_outside_by_the_mapping_that_holds_it() -> None:
    mappings = idmap.triples(OWN)
    assert [idmap.host_id(number, mappings) for number in (0, 9, 10, 11, 12)] == [100000, 100009, 5, 6, -1]
