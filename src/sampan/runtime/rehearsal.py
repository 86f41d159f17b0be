"""Going through a launch without consequences, so that a spare has its pages before anybody waits.

A forked process copies each page of the interpreter when it first touches it, and half of what a launch takes is that.
So a spare shim and its first process walk through the previous launch's orders with the same code, as far as it only
reads. Nothing here decides anything: whatever fails is for the real launch to report.
"""

import _socket as socket
import os

from sampan.linux import capabilities
from sampan.linux.mount import parse_options
from sampan.linux.rootpath import open_in_root
from sampan.runtime import identity, message, restrict, rootfs
from sampan.runtime.cgroup import files
from sampan.runtime.cgroup.detect import cgroup_for
from sampan.runtime.namespaces import Namespaces
from sampan.runtime.request import InitOrders

_PASSWD = "root:x:0:0:root:/root:/bin/sh\n"
_GROUP = "root:x:0:\n"


def as_init(example_fd: int) -> None:
    """What the first process does with its orders, short of the system calls that change something."""
    if example_fd < 0:
        return
    try:
        _as_init(InitOrders(message.decode(b"M", [example_fd])))
    except Exception:
        return


def _as_init(orders: InitOrders) -> None:
    _converse({"event": "ready"})
    cgroup = cgroup_for(orders.spec["linux"]["cgroupsPath"])
    for rule in (orders.spec["linux"].get("resources") or {}).get("devices") or []:
        files.write("/dev", "null", files.device_rule_text(rule))
    process = orders.spec["process"]
    Namespaces(orders.spec["linux"].get("namespaces"))
    for step in rootfs.plan(orders.spec, cgroup.folders):
        step.describe()
    for mount in orders.rootfs:
        parse_options(mount.options)
    identity.resolve(orders.user or "", orders.groups, _PASSWD, _GROUP)
    for names in (process.get("capabilities") or {}).values():
        capabilities.mask(names)
    capabilities.bounding()
    root_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    os.close(open_in_root(root_fd, "/", os.O_PATH))
    os.close(root_fd)
    restrict.find_program(["sh"], process.get("env") or [])


def _converse(found: message.Message) -> None:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    message.send(here, found)
    message.receive(there)
    here.close()
    there.close()
