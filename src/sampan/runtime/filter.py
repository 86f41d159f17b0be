"""A compiled seccomp filter on its way to the process that loads it.

Form        in messages {"program": base64, "flags": int, "listener"?: {"path", "metadata"}}; the program is an array of
            struct sock_filter (seccomp(2))
Listener    A filter with SCMP_ACT_NOTIFY needs somebody who listens: loading it yields a descriptor, which goes to the
            supervisor at once, in an event "listener" that says where an agent waits for it.
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
    """`program` and the SECCOMP_FILTER_FLAG_* to load it with; `listener`: for whom, if it is to have one."""

    __slots__ = ("flags", "listener", "program")

    def __init__(self, program: bytes, flags: int = 0, listener: "dict[str, Any] | None" = None) -> None:
        self.program = program
        self.flags = flags
        self.listener = listener

    def load(self, sync: socket.socket) -> None:
        """Put the calling process under the filter."""
        flags = self.flags | (c.SECCOMP_FILTER_FLAG_NEW_LISTENER if self.listener else 0)
        fd = syscalls.seccomp_set_filter(self.program, flags)
        if self.listener:
            message.send(sync, {"event": "listener", **self.listener}, [fd])
            os.close(fd)

    def to_json(self) -> "dict[str, Any]":
        program = binascii.b2a_base64(self.program, newline=False).decode()
        return {"program": program, "flags": self.flags, "listener": self.listener}

    @classmethod
    def from_json(cls, found: "dict[str, Any] | None") -> "Filter | None":
        if not found:
            return None
        return cls(binascii.a2b_base64(found["program"]), found["flags"], found["listener"])

    @classmethod
    def of(cls, seccomp: "dict[str, Any]", program: bytes, flags: int) -> "Filter":
        """For a compiled `linux.seccomp`, which may name an agent to listen."""
        path = seccomp.get("listenerPath")
        listener = {"path": path, "metadata": seccomp.get("listenerMetadata") or ""} if path else None
        return cls(program, flags, listener)
