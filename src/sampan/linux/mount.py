"""A mount as a value, and mount options in words.

`Mount` is what storage and the engine produce and the runtime consumes (the field names of runtime-spec, config.md,
"Mounts"). Options are flags of mount(2) in words; the rest is passed to the file system as text.

Order       A later word takes an earlier one back ("ro", "rw"), but for propagation, where each is done in turn: a
            mount may be a slave and shared.
Spec        runtime-spec 1.2, config.md "Linux mount options"; runc's and crun's words beyond that.
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
    "symfollow": (0, c.MS_NOSYMFOLLOW),
    "nosymfollow": (c.MS_NOSYMFOLLOW, 0),
    "iversion": (c.MS_I_VERSION, 0),
    "noiversion": (0, c.MS_I_VERSION),
    "lazytime": (c.MS_LAZYTIME, 0),
    "nolazytime": (0, c.MS_LAZYTIME),
    "silent": (c.MS_SILENT, 0),
    "loud": (0, c.MS_SILENT),
    "bind": (c.MS_BIND, 0),
    "rbind": (c.MS_BIND | c.MS_REC, 0),
    # Settings of a file system, not of a mount: none of them has anything below to reach.
    "rsync": (c.MS_SYNCHRONOUS, 0),
    "rasync": (0, c.MS_SYNCHRONOUS),
    "rdirsync": (c.MS_DIRSYNC, 0),
    "rmand": (c.MS_MANDLOCK, 0),
    "rnomand": (0, c.MS_MANDLOCK),
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
# One way of keeping access times takes the place of another, so setting one clears all; relatime is none of the bits.
RECURSIVE = {
    "rro": (c.MOUNT_ATTR_RDONLY, 0),
    "rrw": (0, c.MOUNT_ATTR_RDONLY),
    "rnosuid": (c.MOUNT_ATTR_NOSUID, 0),
    "rsuid": (0, c.MOUNT_ATTR_NOSUID),
    "rnodev": (c.MOUNT_ATTR_NODEV, 0),
    "rdev": (0, c.MOUNT_ATTR_NODEV),
    "rnoexec": (c.MOUNT_ATTR_NOEXEC, 0),
    "rexec": (0, c.MOUNT_ATTR_NOEXEC),
    "rnodiratime": (c.MOUNT_ATTR_NODIRATIME, 0),
    "rdiratime": (0, c.MOUNT_ATTR_NODIRATIME),
    "rnosymfollow": (c.MOUNT_ATTR_NOSYMFOLLOW, 0),
    "rsymfollow": (0, c.MOUNT_ATTR_NOSYMFOLLOW),
    "rnoatime": (c.MOUNT_ATTR_NOATIME, c.MOUNT_ATTR__ATIME),
    "ratime": (0, c.MOUNT_ATTR__ATIME),
    "rstrictatime": (c.MOUNT_ATTR_STRICTATIME, c.MOUNT_ATTR__ATIME),
    "rnostrictatime": (0, c.MOUNT_ATTR__ATIME),
    "rrelatime": (0, c.MOUNT_ATTR__ATIME),
    "rnorelatime": (0, c.MOUNT_ATTR__ATIME),
}

# Options for whoever performs the mount; none reaches the kernel. Those of ours begin with OURS.
CHDIR = "x-sampan.chdir="
COPY_UP = "x-sampan.copy-up"
IDMAP = "x-sampan.idmap="
OURS = "x-sampan."
TMPCOPYUP = "tmpcopyup"
COPY_SYMLINK = "copy-symlink"
SOURCE_NOFOLLOW = "src-nofollow"
TARGET_NOFOLLOW = "dest-nofollow"
_PERFORMED = frozenset((TMPCOPYUP, COPY_SYMLINK, SOURCE_NOFOLLOW, TARGET_NOFOLLOW, "idmap", "ridmap"))
_PERFORMED_PREFIXES = (OURS, "idmap=", "ridmap=")

_BIND_ATTRIBUTES = (
    (c.MS_RDONLY, c.MOUNT_ATTR_RDONLY),
    (c.MS_NOSUID, c.MOUNT_ATTR_NOSUID),
    (c.MS_NODEV, c.MOUNT_ATTR_NODEV),
    (c.MS_NOEXEC, c.MOUNT_ATTR_NOEXEC),
    (c.MS_NODIRATIME, c.MOUNT_ATTR_NODIRATIME),
    (c.MS_NOSYMFOLLOW, c.MOUNT_ATTR_NOSYMFOLLOW),
)
_ATIME = c.MS_NOATIME | c.MS_STRICTATIME


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
    """What a list of option words means.

    flags, data      for mount(2); `cleared` are the flags that a word asked not to have
    propagation      MS_SHARED and so on, with MS_REC, each to be done in turn
    set_recursive, clear_recursive   MOUNT_ATTR_* for a mount and all below it
    ours             the words for whoever performs the mount
    """

    __slots__ = ("clear_recursive", "cleared", "data", "flags", "ours", "propagation", "set_recursive")

    def __init__(self) -> None:
        self.flags = 0
        self.cleared = 0
        self.propagation: list[int] = []
        self.set_recursive = 0
        self.clear_recursive = 0
        self.data = ""
        self.ours: list[str] = []

    @property
    def bind_attributes(self) -> "tuple[int, int]":
        """The MOUNT_ATTR_* that a bind mount is to get, and those it is to lose; what no word names stays."""
        wanted = unwanted = 0
        for flag, attribute in _BIND_ATTRIBUTES:
            if self.flags & flag:
                wanted |= attribute
            elif self.cleared & flag:
                unwanted |= attribute
        if self.flags & c.MS_NOATIME:
            wanted |= c.MOUNT_ATTR_NOATIME
        elif self.flags & c.MS_STRICTATIME:
            wanted |= c.MOUNT_ATTR_STRICTATIME
        if self.flags & (_ATIME | c.MS_RELATIME) or self.cleared & _ATIME:
            unwanted |= c.MOUNT_ATTR__ATIME
        return wanted, unwanted

    @property
    def fresh_flags(self) -> int:
        """The flags of a new file system, below which nothing is yet: there "rro" is "ro"."""
        flags = self.flags
        if self.set_recursive or self.clear_recursive:
            for flag, attribute in (*_BIND_ATTRIBUTES, (c.MS_NOATIME, c.MOUNT_ATTR_NOATIME)):
                if self.set_recursive & attribute:
                    flags |= flag
                elif self.clear_recursive & attribute:
                    flags &= ~flag
            if self.set_recursive & c.MOUNT_ATTR_STRICTATIME:
                flags |= c.MS_STRICTATIME
        return flags


def unescape(text: str) -> str:
    """A path as /proc/<pid>/mountinfo writes it, with octal numbers for blanks and backslashes."""
    if "\\" not in text:
        return text
    first, *rest = text.split("\\")
    return first + "".join(chr(int(piece[:3], 8)) + piece[3:] for piece in rest)


def parse_options(words: "list[str]") -> Options:
    """Sort option words; a word that no table knows is the file system's."""
    found, rest = Options(), []
    for word in words:
        if word in FLAGS:
            flag, clear = FLAGS[word]
            found.flags = found.flags & ~clear | flag
            found.cleared = found.cleared & ~flag | clear
        elif word in PROPAGATION:
            found.propagation.append(PROPAGATION[word])
        elif word in RECURSIVE:
            on, off = RECURSIVE[word]
            found.set_recursive = found.set_recursive & ~off | on
            found.clear_recursive = found.clear_recursive & ~(on & ~c.MOUNT_ATTR__ATIME) | off
        elif word in _PERFORMED or word.startswith(_PERFORMED_PREFIXES):
            found.ours.append(word)
        else:
            rest.append(word)
    found.data = ",".join(rest)
    return found
