import pytest

from sampan.runtime.cgroup.devices import parse_list, settle, transition, with_default_devices
from sampan.runtime.cgroup.files import CgroupError

DENY_ALL = {"allow": False, "access": "rwm"}
NULL = {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}
ZERO = {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "r"}


def test_permissions_for_the_same_device_add_up() -> None:
    found = settle([DENY_ALL, NULL, {**NULL, "access": "m"}])
    assert found.exceptions == {("c", 1, 3): frozenset("rwm")}


def test_a_rule_for_everything_forgets_those_before() -> None:
    assert settle([NULL, DENY_ALL]).exceptions == {}
    found = settle([DENY_ALL, NULL, {"allow": True}])
    assert found.allows_rest and found.exceptions == {}


def test_a_denial_takes_back_what_it_covers() -> None:
    found = settle([DENY_ALL, NULL, ZERO, {"allow": False, "type": "c", "major": 1, "minor": -1, "access": "w"}])
    assert found.exceptions == {("c", 1, 3): frozenset("r"), ("c", 1, 5): frozenset("r")}
    assert settle([DENY_ALL, NULL, {**NULL, "allow": False}]).exceptions == {}


def test_a_hole_in_a_wider_permission_cannot_be_made() -> None:
    every = {"allow": True, "type": "c", "major": 1, "minor": -1, "access": "rw"}
    with pytest.raises(CgroupError, match="cannot make an exception"):
        settle([DENY_ALL, every, {**NULL, "allow": False}])
    settle([DENY_ALL, every, {**NULL, "allow": False, "access": "m"}])  # which was not given


def test_all_but_some_is_kept_the_other_way_round() -> None:
    found = settle([{"allow": True}, {**NULL, "allow": False}])
    assert found.allows_rest and found.exceptions == {("c", 1, 3): frozenset("rw")}
    assert settle([{"allow": True}, {**NULL, "allow": False}, NULL]).exceptions == {}


def test_both_kinds_of_device_have_a_rule_of_their_own() -> None:
    assert set(settle([{"allow": True, "type": "a", "major": 8}]).exceptions) == {("b", 8, -1), ("c", 8, -1)}
    assert set(settle([{"allow": True, "type": "u", "major": 8}]).exceptions) == {("c", 8, -1)}


@pytest.mark.parametrize("rule", [{"type": "p"}, {"access": "x"}])
def test_a_rule_that_cannot_be_read_is_an_error(rule: dict[str, str]) -> None:
    with pytest.raises(CgroupError, match="invalid device rule"):
        settle([rule])


def test_the_kernels_list_is_read() -> None:
    assert parse_list("a *:* rwm").allows_rest
    assert parse_list("c 1:3 rw\nb 8:* m\n").exceptions == {("c", 1, 3): frozenset("rw"), ("b", 8, -1): frozenset("m")}


def test_what_is_to_stay_is_never_taken_back() -> None:
    assert transition("c 1:3 rw\nc 1:5 rw\n", [DENY_ALL, ZERO, {**NULL, "minor": 9}]) == [
        ("devices.allow", "c 1:9 rw"),
        ("devices.deny", "c 1:3 rw"),
        ("devices.deny", "c 1:5 w"),
    ]


def test_another_kind_of_set_begins_anew() -> None:
    assert transition("c 1:3 rw", [{"allow": True}]) == [("devices.allow", "a *:* rwm")]
    assert transition("a *:* rwm", [DENY_ALL, NULL]) == [("devices.deny", "a *:* rwm"), ("devices.allow", "c 1:3 rw")]
    assert transition("", [{"allow": True}, {**NULL, "allow": False}]) == [
        ("devices.allow", "a *:* rwm"),
        ("devices.deny", "c 1:3 rw"),
    ]


def test_every_container_may_make_nodes_and_use_the_usual_ones() -> None:
    for rules in (None, [], [DENY_ALL]):
        found = settle(with_default_devices(rules))
        assert not found.allows_rest
        assert found.exceptions["c", -1, -1] == found.exceptions["b", -1, -1] == frozenset("m")
        assert found.exceptions["c", 1, 3] == found.exceptions["c", 136, -1] == frozenset("rwm")
        assert ("c", 5, 1) not in found.exceptions  # the machine's console


def test_a_config_without_a_denial_denies_the_rest() -> None:
    found = settle(with_default_devices([{**NULL, "minor": 11}]))
    assert not found.allows_rest
    assert found.exceptions["c", 1, 11] == frozenset("rw")
    assert settle(with_default_devices([{"allow": True, "access": "rwm"}])).allows_rest
