"""An overlay whose layers are seen through id mappings: files of one owner on disk, another in the container.

Layers      overlayfs has no mappings of its own; it takes the layers as it finds them, in an idmapped mount of the
            directory that they are in (Linux 5.19). That mount is put where the root will cover it, for overlayfs
            refuses mounts that are in nobody's namespace.
Who mounts  Whatever overlayfs makes by itself (its work directory, copies of lower files before they get their owner)
            it makes as the one who mounted it. The host's root has no id in the layers (EOVERFLOW), so that is done as
            the one whom the mapping makes of root: with other ids, but all capabilities (SECBIT_NO_SETUID_FIXUP).
            The same goes for whoever makes files behind such a mapping from outside of the user namespace.
Spec        mount_setattr(2); capabilities(7), "The securebits flags"; Documentation/filesystems/overlayfs.rst.
"""

import errno
import os

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.runtime import idmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    from sampan.linux.mount import Mount, Options
    from sampan.runtime.idmap import IdMap
else:
    import _signal as signal  # the same functions without the enums around them


def enter(folder: str, id_map: "IdMap", staging: str) -> None:
    """Go into `folder` as it is seen through the mappings: in a mount on `staging`, which the root will then cover."""
    tree = syscalls.open_tree(c.AT_FDCWD, folder, c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC)
    try:
        id_map.apply(tree)
        place = os.open(staging, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        syscalls.move_mount(tree, place)
        os.close(place)
        os.fchdir(tree)
    finally:
        os.close(tree)


def mount(found: "Mount", target: str, options: "Options", id_map: "IdMap") -> None:
    """Mount an overlay of layers below the working directory."""
    try:
        with AsMappedRoot(id_map):
            syscalls.mount(found.source or found.type, target, found.type, options.flags, options.data)
    except OSError as error:
        if error.errno == errno.EINVAL:
            text = f"{found.type} on idmapped layers: invalid argument (Linux 5.19 is needed)"
            raise OSError(error.errno, text) from error
        raise


class AsMappedRoot:
    """`with AsMappedRoot(id_map)`: the ids that root has behind the mappings, with all capabilities of the host's."""

    __slots__ = ("_gid", "_uid")

    def __init__(self, id_map: "IdMap") -> None:
        self._uid, self._gid = idmap.host_id(0, id_map.uids), idmap.host_id(0, id_map.gids)

    def __enter__(self) -> None:
        syscalls.prctl(c.PR_SET_SECUREBITS, c.SECBIT_NO_SETUID_FIXUP)
        os.setresgid(-1, self._gid, -1)
        os.setresuid(-1, self._uid, -1)

    def __exit__(self, *_: object) -> None:
        os.setresuid(-1, 0, -1)
        os.setresgid(-1, 0, -1)
        syscalls.prctl(c.PR_SET_SECUREBITS, 0)
        # The kernel takes it from whoever changes ids (prctl(2)).
        syscalls.prctl(c.PR_SET_PDEATHSIG, signal.SIGKILL)
