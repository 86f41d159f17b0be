"""What needs no device; moving some is in tests/integration/test_process_attributes.py."""

import pytest

from sampan.runtime import netdevices
from sampan.runtime.restrict import StageError


@pytest.mark.parametrize("name", ["eth0", "a", "x" * 15, "enp0s31f6.100", "grün"])
def test_names_that_the_kernel_takes(name: str) -> None:
    assert netdevices.is_valid_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "x" * 16, "a/b", "a:b", "a b", "a\tb", "ü" * 8])
def test_names_that_it_does_not_take(name: str) -> None:
    assert not netdevices.is_valid_name(name)


def test_old_and_new_names_are_checked() -> None:
    netdevices.check({"eth0": {}, "eth1": {"name": "lan"}, "eth2": {"name": ""}}, has_network_namespace=True)
    with pytest.raises(StageError, match='invalid network device name "a/b"'):
        netdevices.check({"a/b": {}}, has_network_namespace=True)
    with pytest.raises(StageError, match='invalid network device name "x:1"'):
        netdevices.check({"eth0": {"name": "x:1"}}, has_network_namespace=True)


def test_the_host_cannot_give_to_itself() -> None:
    netdevices.check({}, has_network_namespace=False)
    with pytest.raises(StageError, match="unable to move network devices without a NET namespace"):
        netdevices.check({"eth0": {}}, has_network_namespace=False)


def test_no_devices_need_no_namespace() -> None:
    netdevices.move({}, -1)
