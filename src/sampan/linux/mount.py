"""A mount as a value, and mount options in words.

`Mount` is what storage and the engine produce and the runtime consumes (the field names of runtime-spec, config.md,
"Mounts"). Options are flags of mount(2) in words; the rest is passed to the file system as text.
"""

from sampan.linux import constants as c

# word: (flag to set, flag to clear)
FLAGS = {
    "defaults": (0, 0),
    "ro": (c.MS_RDONLY, 0),
    "rw": (0, c.MS_RDONLY),
    "nosuid": (c.MS_NOSUID, 0),
    "suid": (0, c.MS_NOSUID),
    "nodev": (c.MS_NODEV, 0),
    "dev": (0, c.MS_NODEV),
    "noexec": (c.MS_NOEXEC, 0),
    "exec": (0, c.MS_NOEXEC),
    "sync": (c.MS_SYNCHRONOUS, 0),
    "async": (0, c.MS_SYNCHRONOUS),
    "dirsync": (c.MS_DIRSYNC, 0),
    "remount": (c.MS_REMOUNT, 0),
    "mand": (c.MS_MANDLOCK, 0),
    "nomand": (0, c.MS_MANDLOCK),
    "atime": (0, c.MS_NOATIME),
    "noatime": (c.MS_NOATIME, 0),
    "diratime": (0, c.MS_NODIRATIME),
    "nodiratime": (c.MS_NODIRATIME, 0),
    "relatime": (c.MS_RELATIME, 0),
    "norelatime": (0, c.MS_RELATIME),
    "strictatime": (c.MS_STRICTATIME, 0),
    "nostrictatime": (0, c.MS_STRICTATIME),
    "nosymfollow": (c.MS_NOSYMFOLLOW, 0),
    "iversion": (c.MS_I_VERSION, 0),
    "noiversion": (0, c.MS_I_VERSION),
    "silent": (c.MS_SILENT, 0),
    "loud": (0, c.MS_SILENT),
    "bind": (c.MS_BIND, 0),
    "rbind": (c.MS_BIND | c.MS_REC, 0),
}

PROPAGATION = {
    "private": c.MS_PRIVATE,
    "rprivate": c.MS_PRIVATE | c.MS_REC,
    "slave": c.MS_SLAVE,
    "rslave": c.MS_SLAVE | c.MS_REC,
    "shared": c.MS_SHARED,
    "rshared": c.MS_SHARED | c.MS_REC,
    "unbindable": c.MS_UNBINDABLE,
    "runbindable": c.MS_UNBINDABLE | c.MS_REC,
}

# A word here reaches the mounts below a recursive bind too (mount_setattr(2)): (attributes to set, to clear).
RECURSIVE = {
    "rro": (c.MOUNT_ATTR_RDONLY, 0),
    "rrw": (0, c.MOUNT_ATTR_RDONLY),
    "rnosuid": (c.MOUNT_ATTR_NOSUID, 0),
    "rsuid": (0, c.MOUNT_ATTR_NOSUID),
    "rnodev": (c.MOUNT_ATTR_NODEV, 0),
    "rdev": (0, c.MOUNT_ATTR_NODEV),
    "rnoexec": (c.MOUNT_ATTR_NOEXEC, 0),
    "rexec": (0, c.MOUNT_ATTR_NOEXEC),
}

# Options of ours, for whoever performs the mount; none reaches the kernel.
CHDIR = "x-sampan.chdir="
COPY_UP = "x-sampan.copy-up"
OURS = "x-sampan."

_BIND_ATTRIBUTES = (
    (c.MS_RDONLY, c.MOUNT_ATTR_RDONLY),
    (c.MS_NOSUID, c.MOUNT_ATTR_NOSUID),
    (c.MS_NODEV, c.MOUNT_ATTR_NODEV),
    (c.MS_NOEXEC, c.MOUNT_ATTR_NOEXEC),
    (c.MS_NODIRATIME, c.MOUNT_ATTR_NODIRATIME),
    (c.MS_NOSYMFOLLOW, c.MOUNT_ATTR_NOSYMFOLLOW),
)


class Mount:
    """One mount: file system type, source, absolute target, options in words."""

    __slots__ = ("options", "source", "target", "type")

    def __init__(self, type: str, source: str, target: str, options: "list[str]") -> None:
        self.type = type
        self.source = source
        self.target = target
        self.options = options

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mount) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.type, self.source, self.target, tuple(self.options)))

    def __repr__(self) -> str:
        return f"Mount({self.type!r}, {self.source!r}, {self.target!r}, {self.options!r})"

    def to_json(self) -> "dict[str, object]":
        return {"type": self.type, "source": self.source, "destination": self.target, "options": self.options}


class Options:
    """What a list of option words means: `flags` and `data` for mount(2), propagation, recursive attributes, ours."""

    __slots__ = ("clear_recursive", "data", "flags", "ours", "propagation", "set_recursive")

    def __init__(self) -> None:
        self.flags = 0
        self.propagation = 0
        self.set_recursive = 0
        self.clear_recursive = 0
        self.data = ""
        self.ours: list[str] = []

    @property
    def bind_attributes(self) -> int:
        """The MOUNT_ATTR_* that a bind mount is to get."""
        found = 0
        for flag, attribute in _BIND_ATTRIBUTES:
            if self.flags & flag:
                found |= attribute
        if self.flags & c.MS_NOATIME:
            found |= c.MOUNT_ATTR_NOATIME
        elif self.flags & c.MS_STRICTATIME:
            found |= c.MOUNT_ATTR_STRICTATIME
        return found


def parse_options(words: "list[str]") -> Options:
    """Sort option words; a word that no table knows is the file system's."""
    found, rest = Options(), []
    for word in words:
        if word in FLAGS:
            flag, clear = FLAGS[word]
            found.flags = found.flags & ~clear | flag
        elif word in PROPAGATION:
            found.propagation = PROPAGATION[word]
        elif word in RECURSIVE:
            on, off = RECURSIVE[word]
            found.set_recursive |= on
            found.clear_recursive |= off
        elif word.startswith(OURS):
            found.ours.append(word)
        else:
            rest.append(word)
    found.data = ",".join(rest)
    return found
