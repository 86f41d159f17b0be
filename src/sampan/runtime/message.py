"""Messages between the daemon, the launcher and the shims: one JSON object and some descriptors each.

They travel on SOCK_SEQPACKET sockets, so a message arrives whole or not at all. The first byte of a packet tells how
the object is carried:

    "J"   the JSON text follows in the packet
    "M"   the text is too long for a packet; the first descriptor is a memfd that holds it

Requests carry "do" (what) and "seq"; the answer repeats "seq" and has "ok" or "error" ({"class", "message",
"exit_code"}). A message with "event" instead is sent unasked.
"""

import _socket as socket
import os
import struct

from sampan.base import jsontext

MAX_INLINE = 96 * 1024  # well below the default net.core.wmem_default of 208 KiB, minus the kernel's own overhead
MAX_FDS = 64

_INT = struct.Struct("i")
_RIGHTS = (socket.SOL_SOCKET, socket.SCM_RIGHTS)
_CONTROL_BYTES = socket.CMSG_SPACE(MAX_FDS * _INT.size)

Message = dict[str, object]


def send(sock: socket.socket, message: Message, fds: "list[int] | tuple[int, ...]" = (), *, kind: bytes = b"") -> None:
    """Send one message; blocks or raises BlockingIOError as the socket does. `fds` stay open here.

    `kind` goes in front of the packet, for a receiver that sorts packets without reading them (`receive_packet`).
    """
    send_text(sock, jsontext.dumps(message), fds, kind=kind)


def send_text(sock: socket.socket, message: str, fds: "list[int] | tuple[int, ...]" = (), *, kind: bytes = b"") -> None:
    """Send a message that is a JSON text already."""
    text = message.encode("utf-8", "surrogateescape")
    if len(text) <= MAX_INLINE:
        send_packet(sock, [kind, b"J", text], fds)
        return
    memfd = in_memory(text)
    try:
        send_packet(sock, [kind, b"M"], [memfd, *fds])
    finally:
        os.close(memfd)


def in_memory(text: bytes) -> int:
    """A memfd that holds the text of a message; whoever has it can pass the message on unread (`send_held`)."""
    memfd = os.memfd_create("message", os.MFD_CLOEXEC)
    try:
        view = memoryview(text)
        while view:
            view = view[os.write(memfd, view) :]
    except BaseException:
        os.close(memfd)
        raise
    return memfd


def send_held(sock: socket.socket, memfd: int, fds: "list[int] | tuple[int, ...]" = ()) -> None:
    """Send the message that `memfd` holds; all descriptors stay open here."""
    send_packet(sock, [b"M"], [memfd, *fds])


def send_packet(sock: socket.socket, parts: "list[bytes]", fds: "list[int] | tuple[int, ...]") -> None:
    """Send the parts of one packet as they are."""
    rights = b"".join(map(_INT.pack, fds))
    sock.sendmsg(parts, [(*_RIGHTS, rights)] if fds else [])


def receive_packet(sock: socket.socket) -> "tuple[bytes, list[int]] | None":
    """The next packet, unread, and its descriptors (close-on-exec, the caller's from now on); None at the end."""
    packet, control, flags, _ = sock.recvmsg(MAX_INLINE + 2, _CONTROL_BYTES, socket.MSG_CMSG_CLOEXEC)
    fds = [fd for level, kind, found in control if (level, kind) == _RIGHTS for (fd,) in _INT.iter_unpack(found)]
    if not packet or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        for fd in fds:
            os.close(fd)
        if packet:
            raise ValueError("a message was cut short")
        return None
    return packet, fds


def decode(packet: bytes, fds: "list[int]") -> Message:
    """The message in a packet (without its `kind`); takes the memfd of a long one off `fds`."""
    text = packet[1:]
    if packet[:1] == b"M":
        if not fds:
            raise ValueError("a long message came without its text")
        memfd = fds.pop(0)
        try:
            text = os.pread(memfd, os.fstat(memfd).st_size, 0)
        finally:
            os.close(memfd)
    found: Message = jsontext.loads(text)
    return found


def receive(sock: socket.socket) -> "tuple[Message, list[int]] | None":
    """The next message and its descriptors; None at the end."""
    found = receive_packet(sock)
    return None if found is None else (decode(*found), found[1])
