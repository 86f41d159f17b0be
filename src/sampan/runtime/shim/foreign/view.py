"""The mount namespace that a command of a runtime runs in: a copy of the host's, from which nothing gets back.

What is mounted for a container (its root) exists in that copy alone, and goes when the last process in it ends. What
the host mounts meanwhile is seen (the copies are slaves, mount_namespaces(7)).
Hybrid      Where limits are set in version 1 and the unified hierarchy is mounted beside it, the copy is without the
            latter: our own containers are in version 1 alone, runc would leave directories there, and crun refuses to
            run at all when that hierarchy has controllers.
"""

import errno

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.runtime.cgroup.detect import hierarchies


def leave_host() -> None:
    """Enter such a copy."""
    syscalls.unshare(c.CLONE_NEWNS)
    syscalls.mount("", "/", "", c.MS_REC | c.MS_SLAVE)
    found = hierarchies()
    if found.v2 and not found.is_v2:
        _hide(found.v2)


def _hide(path: str) -> None:
    try:
        syscalls.umount2(path, c.MNT_DETACH)
    except OSError as error:
        # EINVAL: somebody has unmounted it since.
        if error.errno != errno.EINVAL:
            raise
