"""A tmpfs that begins with what the root has in its place (mount option "tmpcopyup" of runc and crun)."""

import errno
import os

from sampan.linux.rootpath import open_in_root
from sampan.runtime import copyup
from sampan.runtime.steps import FileSystem, Root


class FilledTmpfs(FileSystem):
    """Mount a tmpfs and copy into it."""

    __slots__ = ()

    def prepare(self) -> None:
        if self.mount.type != "tmpfs":
            raise OSError(errno.EINVAL, "tmpcopyup can be used only with tmpfs")
        if self.mount.target == "/":
            raise OSError(errno.EINVAL, "tmpcopyup on `/` is not supported")
        super().prepare()

    def execute(self, root: Root) -> None:
        flags = os.O_RDONLY | os.O_DIRECTORY
        try:
            source = open_in_root(root.fd, self.mount.target, flags)
        except FileNotFoundError:
            super().execute(root)
            return
        try:
            super().execute(root)
            target = open_in_root(root.fd, self.mount.target, flags)
            copyup.fill(source, target, with_mode="mode=" not in self.options.data)
            os.close(target)
        finally:
            os.close(source)
