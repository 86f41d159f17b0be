"""Whether containers' roots can be mounted with idmapped layers here: tried, for nobody can tell beforehand.

A helper of the launcher does in a mount namespace of its own what a container's first process does, below the very
directory that will hold the layers, then makes a file as the mapped root.
Errors      InvalidArgument that says what the kernel or the file system below the directory refuses.
"""

import os
import shutil
import tempfile

from sampan.errors import InvalidArgument
from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.linux.mount import IDMAP, Mount
from sampan.runtime.idmap import triples
from sampan.runtime.rootfs import mount_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FOLDERS = ("lower", "upper", "work", "merged")


def run(folder: str, uids: "list[dict[str, Any]]", gids: "list[dict[str, Any]]") -> "dict[str, object]":
    """Try it below `folder`, with mappings of the OCI config."""
    path = tempfile.mkdtemp(prefix="idmap-trial-", dir=folder)
    try:
        for name in _FOLDERS:
            os.mkdir(f"{path}/{name}")
        syscalls.unshare(c.CLONE_NEWNS)
        syscalls.mount("", "/", "", c.MS_REC | c.MS_PRIVATE)
        _try(path, uids, gids)
    except OSError as error:
        text = (error.strerror or str(error)).lower()
        raise InvalidArgument(f"userns-remap: layers in {folder} cannot be idmapped: {text}") from error
    finally:
        shutil.rmtree(path, ignore_errors=True)
    return {}


def _try(path: str, uids: "list[dict[str, Any]]", gids: "list[dict[str, Any]]") -> None:
    words = ["lowerdir=lower", "upperdir=upper", "workdir=work", f"x-sampan.chdir={path}"]
    words.append(f"{IDMAP}uids={_text(uids)};gids={_text(gids)}")
    mount_root([Mount("overlay", "overlay", "", words)], f"{path}/merged")
    merged = os.open(f"{path}/merged", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.setresgid(-1, gids[0]["hostID"], -1)
        os.setresuid(-1, uids[0]["hostID"], -1)
        os.mkdir("made", dir_fd=merged)
    finally:
        os.setresuid(-1, 0, -1)
        os.setresgid(-1, 0, -1)
        os.close(merged)
        os.chdir("/")
        syscalls.umount2(f"{path}/merged", c.MNT_DETACH)
        syscalls.umount2(f"{path}/merged", c.MNT_DETACH)
    made = os.stat(f"{path}/upper/made")
    if (made.st_uid, made.st_gid) != (0, 0):
        raise OSError(0, f"a file of root's got the owner {made.st_uid}:{made.st_gid}")


def _text(mappings: "list[dict[str, Any]]") -> str:
    return "#".join("-".join(map(str, triple)) for triple in triples(mappings))
