"""Netlink: messages and attributes as bytes, and a socket that sends requests and collects the answers.

Owns        Framing only; what the bytes mean is up to `rtnetlink` and `nftables`.
Invariants  1. A request is answered before `sendmsg` returns (the kernel works in the sender's context), so reading
               never waits for anything but the kernel's next piece of a dump.
            2. `request` sends its messages in one system call and reads every acknowledgement, also after an error:
               nothing stale is left in the socket. rtnetlink goes on after a failed message; undoing is the caller's.
Threads     None: whoever shares a socket between threads serialises the calls.
Errors      OSError(errno, text) with the kernel's own explanation (extended acknowledgement) where it gives one.
Spec        netlink(7), RFC 3549; Documentation/userspace-api/netlink/intro.rst.
"""

import errno
import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12

NLM_F_REQUEST = 0x001
NLM_F_ACK = 0x004
NLM_F_DUMP_INTR = 0x010
NLM_F_DUMP = 0x300
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800

NLMSG_ERROR = 2
NLMSG_DONE = 3
NLMSG_OVERRUN = 4

NLM_F_CAPPED = 0x100
NLM_F_ACK_TLVS = 0x200
NLMSGERR_ATTR_MSG = 1

NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF

_SOL_NETLINK = 270
_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33
_NETLINK_ADD_MEMBERSHIP = 1
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11
_NETLINK_GET_STRICT_CHK = 12

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, port id
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_ERROR = struct.Struct("=i")
_NATIVE = struct.Struct("=I")

# A dump comes in pieces of at most 32 KiB; notifications are smaller.
_RECEIVE_BYTES = 65536
# The largest batch that is ever sent is a whole firewall table; an element takes about 60 bytes.
_SEND_BUFFER_BYTES = 8 << 20
_NOTIFICATION_BUFFER_BYTES = 1 << 20


class Message:
    """A message; `port` is the port id of the socket that caused it (a notification carries its originator's)."""

    __slots__ = ("flags", "kind", "payload", "port", "sequence")

    def __init__(self, kind: int, flags: int, payload: bytes, *, sequence: int = 0, port: int = 0) -> None:
        self.kind = kind
        self.flags = flags
        self.payload = payload
        self.sequence = sequence
        self.port = port

    def __repr__(self) -> str:
        return f"Message(kind={self.kind:#x}, flags={self.flags:#x}, payload={self.payload.hex()})"


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | NLA_F_NESTED, b"".join(attributes))


def text(kind: int, value: str) -> bytes:
    """A string attribute with its terminating zero."""
    return attribute(kind, value.encode() + b"\0")


def u32(kind: int, value: int) -> bytes:
    """An integer in the machine's byte order, as rtnetlink has them."""
    return attribute(kind, _NATIVE.pack(value))


def be32(kind: int, value: int) -> bytes:
    """An integer in network byte order, as nfnetlink has them."""
    return attribute(kind, (value & 0xFFFFFFFF).to_bytes(4, "big"))


def integer(value: bytes) -> int:
    """The value of a 32-bit attribute in the machine's byte order."""
    return int(_NATIVE.unpack(value)[0])


def attributes(payload: bytes, offset: int = 0) -> "Iterator[tuple[int, bytes]]":
    """The attributes of a payload in their order; flags are taken off the types."""
    end = len(payload)
    while offset + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(payload, offset)
        if length < 4 or offset + length > end:
            raise OSError(errno.EBADMSG, "netlink attribute runs past its message")
        yield kind & NLA_TYPE_MASK, payload[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def encode(message: Message) -> bytes:
    """The message as it goes over the socket."""
    size = _HEADER.size + len(message.payload)
    header = _HEADER.pack(size, message.kind, message.flags, message.sequence, message.port)
    return header + message.payload + bytes(-size % 4)


def decode(datagram: bytes) -> "Iterator[Message]":
    """The messages of one datagram."""
    offset, end = 0, len(datagram)
    while offset + _HEADER.size <= end:
        length, kind, flags, sequence, port = _HEADER.unpack_from(datagram, offset)
        if length < _HEADER.size or offset + length > end:
            raise OSError(errno.EBADMSG, "netlink message runs past its datagram")
        yield Message(kind, flags, datagram[offset + _HEADER.size : offset + length], sequence=sequence, port=port)
        offset += (length + 3) & ~3


def failure(answer: Message) -> OSError | None:
    """The error that an NLMSG_ERROR or NLMSG_DONE message reports; None when all went well."""
    code = -_ERROR.unpack_from(answer.payload)[0]
    if not code:
        return None
    reason = os.strerror(code)
    if answer.kind == NLMSG_ERROR and answer.flags & NLM_F_ACK_TLVS:
        # With NLM_F_CAPPED only the header of the refused message is repeated, else all of it.
        length = _HEADER.unpack_from(answer.payload, 4)[0]
        offset = 4 + (_HEADER.size if answer.flags & NLM_F_CAPPED else (length + 3) & ~3)
        for kind, value in attributes(answer.payload, offset):
            if kind == NLMSGERR_ATTR_MSG:
                reason += ": " + value.rstrip(b"\0").decode(errors="replace")
    return OSError(code, reason)


class Socket:
    """A netlink socket of `protocol`; an `fd` that is given is owned from here on, and keeps its network namespace."""

    __slots__ = ("_sequence", "_socket")

    def __init__(self, protocol: int, *, fd: int | None = None, groups: "Sequence[int]" = ()) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol, fileno=fd)
        self._sequence = 0
        try:
            for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
            if groups:
                self._socket.bind((0, 0))  # notifications reach only a socket that has a port id
            for group in groups:
                self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
            if groups:
                self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _NOTIFICATION_BUFFER_BYTES)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> "Socket":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def port(self) -> int:
        """This socket's port id, by which notifications name their originator; 0 before the first message."""
        return int(self._socket.getsockname()[0])

    def request(self, messages: "Sequence[Message]") -> list[Message]:
        """Send the messages at once, read all acknowledgements and return what was answered besides them.

        Raises the first message's error whose turn it was; the messages after it have been carried out nevertheless.
        """
        first = self._sequence + 1
        for message in messages:
            self._stamp(message, NLM_F_REQUEST | NLM_F_ACK)
        self._send(messages)
        pending, answers, error = set(range(first, self._sequence + 1)), [], None
        while pending:
            for answer in decode(self._socket.recv(_RECEIVE_BYTES)):
                if answer.sequence < first:
                    continue
                if answer.kind == NLMSG_ERROR:
                    pending.discard(answer.sequence)
                    error = error or failure(answer)
                else:
                    answers.append(answer)
        if error:
            raise error
        return answers

    def dump(self, message: Message) -> list[Message]:
        """All the objects that `message` asks for; asked again while changes interrupt the listing."""
        while True:
            self._stamp(message, NLM_F_REQUEST | NLM_F_DUMP)
            self._send([message])
            answers, consistent = self._read_dump()
            if consistent:
                return answers

    def batch(self, messages: "Sequence[Message]") -> None:
        """Send an nfnetlink batch: all or nothing, with one acknowledgement, that of its last but one message.

        Only errors are reported for the others, so a big batch does not flood the socket with acknowledgements.
        The last message is NFNL_MSG_BATCH_END, which older kernels do not acknowledge.
        """
        first = self._sequence + 1
        for message in messages:
            self._stamp(message, NLM_F_REQUEST)
        messages[-2].flags |= NLM_F_ACK
        self._send(messages)
        last, acknowledged = self._sequence - 1, False
        error: OSError | None = None
        while not acknowledged:
            for answer in self._answers_nowait():
                if answer.sequence >= first and answer.kind == NLMSG_ERROR:
                    error = error or failure(answer)
                    # A batch refused as a whole is answered for its first message only.
                    whole = error is not None and answer.sequence == first
                    acknowledged = acknowledged or whole or answer.sequence == last
        self._drain()
        if error:
            raise error

    def notifications(self) -> list[Message]:
        """What has arrived from the subscribed groups; OSError ENOBUFS when some of it was lost."""
        found: list[Message] = []
        while True:
            try:
                found.extend(decode(self._socket.recv(_RECEIVE_BYTES, socket.MSG_DONTWAIT)))
            except BlockingIOError:
                return found

    def _stamp(self, message: Message, flags: int) -> None:
        self._sequence += 1
        message.sequence = self._sequence
        message.flags |= flags

    def _send(self, messages: "Sequence[Message]") -> None:
        datagram = b"".join(map(encode, messages))
        try:
            self._socket.send(datagram)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER_BYTES)
            self._socket.send(datagram)

    def _read_dump(self) -> tuple[list[Message], bool]:
        answers: list[Message] = []
        consistent = True
        while True:
            for answer in decode(self._socket.recv(_RECEIVE_BYTES)):
                if answer.sequence != self._sequence:
                    continue
                consistent = consistent and not answer.flags & NLM_F_DUMP_INTR
                if answer.kind == NLMSG_DONE:
                    if error := failure(answer):
                        raise error
                    return answers, consistent
                if answer.kind == NLMSG_ERROR:
                    raise failure(answer) or OSError(errno.EPROTO, "netlink acknowledged a dump")
                answers.append(answer)

    def _answers_nowait(self) -> list[Message]:
        try:
            return list(decode(self._socket.recv(_RECEIVE_BYTES, socket.MSG_DONTWAIT)))
        except BlockingIOError:
            raise OSError(errno.EPROTO, "nfnetlink did not acknowledge a batch") from None

    def _drain(self) -> None:
        while True:
            try:
                self._socket.recv(_RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
