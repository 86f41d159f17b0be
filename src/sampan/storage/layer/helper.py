"""Layer work that a helper of the launcher does, because it needs a root of its own."""

import os
import sys

from sampan.storage.layer.apply import apply_layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def unpack(fds: "list[int]", *, root: str, options: "dict[str, Any]") -> "dict[str, object]":
    """Apply the tar layer read from fds[0] to the directory `root`, which becomes this process's root first."""
    os.chroot(root)
    os.chdir("/")
    # From here on a path is the archive's: nothing may be imported any more.
    sys.path.clear()
    sys.meta_path.clear()
    return dict(apply_layer(fds[0], **options).as_dict())


HELPERS = {"unpack": unpack}
