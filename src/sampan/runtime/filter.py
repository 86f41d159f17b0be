"""A compiled seccomp filter on its way to the process that loads it.

Form        in messages {"program": base64, "flags": int}; the program is an array of struct sock_filter (seccomp(2))
Listener    A filter with SCMP_ACT_NOTIFY needs somebody who listens: loading it yields a descriptor, which goes to the
            supervisor at once, in an event "listener"; the supervisor knows whom to give it.
"""

import _socket as socket
import binascii
import os

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.runtime import message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Filter:
    """`program` and the SECCOMP_FILTER_FLAG_* to load it with."""

    __slots__ = ("flags", "program")

    def __init__(self, program: bytes, flags: int = 0) -> None:
        self.program = program
        self.flags = flags

    @property
    def needs_listener(self) -> bool:
        return bool(self.flags & c.SECCOMP_FILTER_FLAG_NEW_LISTENER)

    def load(self, sync: socket.socket) -> None:
        """Put the calling process under the filter."""
        fd = syscalls.seccomp_set_filter(self.program, self.flags)
        if self.needs_listener:
            message.send(sync, {"event": "listener"}, [fd])
            os.close(fd)

    def to_json(self) -> "dict[str, Any]":
        return {"program": binascii.b2a_base64(self.program, newline=False).decode(), "flags": self.flags}

    @classmethod
    def from_json(cls, found: "dict[str, Any] | None") -> "Filter | None":
        return None if not found else cls(binascii.a2b_base64(found["program"]), found["flags"])
