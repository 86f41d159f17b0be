"""New file systems with an SELinux label for their files (config field linux.mountLabel).

The annotation run.oci.mount_context_type chooses which label is meant, as with crun: "context" (the default), or
"fscontext", "defcontext", "rootcontext" (mount(8), "SELinux mount options").
"""

import os

from sampan.linux.mount import Mount, Options
from sampan.linux.rootpath import open_in_root
from sampan.runtime import labels
from sampan.runtime.steps import FileSystem, Root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ANNOTATION = "run.oci.mount_context_type"


def of_config(spec: "dict[str, Any]") -> "tuple[str, str]":
    """(label, kind of context); nothing without SELinux in force."""
    label = (spec.get("linux") or {}).get("mountLabel") or ""
    if not label or not labels.is_selinux_enabled():
        return "", ""
    return label, (spec.get("annotations") or {}).get(ANNOTATION) or "context"


def add_label(kind: str, options: Options, label: str, context_type: str) -> None:
    """Put the label into what the file system is told."""
    options.data = labels.mount_data(kind, options.data, label, context_type=context_type)


class LabelledQueues(FileSystem):
    """Mount an mqueue, whose label is an attribute of its root."""

    __slots__ = ("label",)

    def __init__(self, mount: Mount, options: Options, label: str) -> None:
        super().__init__(mount, options)
        self.label = label

    def execute(self, root: Root) -> None:
        super().execute(root)
        fd = open_in_root(root.fd, self.mount.target, os.O_RDONLY | os.O_DIRECTORY)
        try:
            labels.label_root(self.mount.type, fd, self.label)
        finally:
            os.close(fd)
