"""Network devices of the host that a container takes along (`linux.netDevices`).

A device keeps its hardware address, MTU and its permanent global addresses; it comes out set up, under its new name if
one is given. It is the network namespace's from then on: when that goes, a physical device returns to the host, a
virtual one is gone.

Order       in the runtime's network namespace, with the container's at hand as a descriptor, before its process may use
            the network; the caller has one thread, for it steps into the container's namespace and back.
Errors      StageError, in runc's words; a device stays where the failure found it.
Spec        runtime-spec 1.3, config-linux.md "Network Devices".
"""

import errno
import os

from sampan.linux import constants as c
from sampan.linux import netlink, rtnetlink, syscalls
from sampan.runtime.restrict import StageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_MAX_NAME_BYTES = 15  # IFNAMSIZ with its terminating zero


def check(devices: "Mapping[str, dict[str, Any]]", *, has_network_namespace: bool) -> None:
    """Refuse names that no device has (the kernel's dev_valid_name), and a host that would give to itself."""
    if devices and not has_network_namespace:
        raise StageError("unable to move network devices without a NET namespace")
    for name, device in devices.items():
        for candidate in (name, (device or {}).get("name") or name):
            if not is_valid_name(candidate):
                raise StageError(f'invalid network device name "{candidate}"')


def is_valid_name(name: str) -> bool:
    """Whether the kernel would take it (net/core/dev.c, dev_valid_name)."""
    if not name or len(os.fsencode(name)) > _MAX_NAME_BYTES or name in (".", ".."):
        return False
    return not any(character in "/:" or character.isspace() for character in name)


def move(devices: "Mapping[str, dict[str, Any]]", netns_fd: int) -> None:
    """Move the devices, by their names here, into the network namespace behind `netns_fd`."""
    if not devices:
        return
    here = netlink.Socket(netlink.NETLINK_ROUTE)
    try:
        there = _socket_in(netns_fd)
        try:
            for name, device in devices.items():
                _move(here, there, name, (device or {}).get("name") or name, netns_fd)
        finally:
            there.close()
    finally:
        here.close()


def _socket_in(netns_fd: int) -> netlink.Socket:
    back = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.setns(netns_fd, c.CLONE_NEWNET)
        try:
            return netlink.Socket(netlink.NETLINK_ROUTE)
        finally:
            syscalls.setns(back, c.CLONE_NEWNET)
    finally:
        os.close(back)


def _move(here: netlink.Socket, there: netlink.Socket, name: str, new_name: str, netns_fd: int) -> None:
    link = rtnetlink.find_link(here, name)
    if link is None:
        text = os.strerror(errno.ENODEV).lower()
        raise StageError(f"link not found for interface {name} on runtime namespace: {text}")
    what = f"fail to move network device {name} to network namespace"
    if rtnetlink.find_link(there, new_name) is not None:
        # The kernel moves first and renames then: a name that is taken would leave the device there under the old one.
        raise StageError(f"{what}: {os.strerror(errno.EEXIST).lower()}")
    # Before it is moved: the kernel takes them off.
    addresses = _attempt(f"fail to get ip addresses of {name}", rtnetlink.list_raw_addresses, here, link.index)
    _attempt(what, here.request, [rtnetlink.move_link(link.index, netns_fd, new_name)])
    # Its number may be another one there.
    moved = rtnetlink.find_link(there, new_name)
    if moved is None:
        raise StageError(f"link not found for interface {new_name} on namespace")
    for address in addresses:
        what = f"fail to set up an address of {new_name} on namespace"
        _attempt(what, there.request, [rtnetlink.copy_address(moved.index, address)])
    _attempt(f"fail to set up interface {new_name} on namespace", there.request, [rtnetlink.set_up(moved.index)])


def _attempt(what: str, action: "Any", *args: object) -> "Any":
    try:
        return action(*args)
    except OSError as error:
        raise StageError(f"{what}: {(error.strerror or str(error)).lower()}") from error
