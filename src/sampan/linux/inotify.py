"""Being told that files change: inotify(7), as one descriptor to poll.

Units       A watch is the kernel's positive number; names are bytes decoded as the file system's encoding.
Errors      OSError: ENOSPC when fs.inotify.max_user_watches is reached, EMFILE for max_user_instances (128 by
            default: share an instance).
Limits      Watching the same directory twice gives the same watch number: owners count their users.
"""

import ctypes
import os
import struct

IN_MODIFY = 0x00000002
IN_MOVED_TO = 0x00000080
IN_CREATE = 0x00000100
IN_DELETE_SELF = 0x00000400
IN_Q_OVERFLOW = 0x00004000
IN_IGNORED = 0x00008000
IN_ONLYDIR = 0x01000000

_IN_NONBLOCK = os.O_NONBLOCK
_IN_CLOEXEC = os.O_CLOEXEC

# struct inotify_event { int wd; uint32_t mask; uint32_t cookie; uint32_t len; char name[]; }
_EVENT = struct.Struct("iIII")
_READ_BYTES = 65536

_libc = ctypes.CDLL(None, use_errno=True)
_init1 = _libc.inotify_init1
_init1.argtypes = (ctypes.c_int,)
_add_watch = _libc.inotify_add_watch
_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
_rm_watch = _libc.inotify_rm_watch
_rm_watch.argtypes = (ctypes.c_int, ctypes.c_int)


def _checked(result: int, path: str | None = None) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return result


class Event:
    """One change; `watch` is -1 and `mask` IN_Q_OVERFLOW when events were lost."""

    __slots__ = ("mask", "name", "watch")

    def __init__(self, watch: int, mask: int, name: str) -> None:
        self.watch = watch
        self.mask = mask
        self.name = name


class Inotify:
    """An inotify instance. `fd` is non-blocking and readable while there are events."""

    __slots__ = ("fd",)

    def __init__(self) -> None:
        self.fd = _checked(_init1(_IN_NONBLOCK | _IN_CLOEXEC))

    def add_watch(self, path: str, mask: int) -> int:
        """inotify_add_watch(2): replaces the mask of a watch that `path` already has."""
        return _checked(_add_watch(self.fd, os.fsencode(path), mask), path)

    def remove_watch(self, watch: int) -> None:
        """inotify_rm_watch(2); OSError EINVAL when the kernel already dropped it (the directory is gone)."""
        _checked(_rm_watch(self.fd, watch))

    def read(self) -> list[Event]:
        """The events there are now; empty when there is none."""
        try:
            packed = os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return []
        events = []
        at = 0
        while at < len(packed):
            watch, mask, _, length = _EVENT.unpack_from(packed, at)
            at += _EVENT.size
            events.append(Event(watch, mask, os.fsdecode(packed[at : at + length].rstrip(b"\0"))))
            at += length
        return events

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
