"""PAX extended header records: `<length> <key>=<value>\\n`, the length counting itself.

Invariants  1. A value may hold any byte, newlines included: only the length ends a record.
            2. Names and attribute names never hold a NUL, for the kernel would stop reading them there.
Errors      ValueError with the reason; the reader turns it into InvalidArgument naming the entry.
Spec        POSIX.1-2017 pax, "pax Extended Header".
"""

XATTR_PREFIX = b"SCHILY.xattr."

_NUL_FREE = frozenset((b"path", b"linkpath", b"GNU.sparse.name"))


def parse_records(payload: bytes) -> list[tuple[bytes, bytes]]:
    """The records in order: old GNU sparse maps repeat their keys."""
    records = []
    position = 0
    while position < len(payload):
        space = payload.find(b" ", position, position + 20)
        digits = payload[position:space] if space > position else b""
        if not digits.isdigit():
            raise ValueError("bad record length in its PAX header")
        end = position + int(digits)
        equals = payload.find(b"=", space + 1, end)
        if end > len(payload) or end <= space or payload[end - 1 : end] != b"\n" or equals <= space + 1:
            raise ValueError("malformed record in its PAX header")
        key, value = payload[space + 1 : equals], payload[equals + 1 : end - 1]
        if b"\0" in key or (key in _NUL_FREE and b"\0" in value):
            raise ValueError("NUL byte in its PAX header")
        records.append((key, value))
        position = end
    return records


def format_record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + len(str(len(body)))
    if len(str(length)) + len(body) != length:  # the length's own digit made it longer
        length += 1
    return b"%d" % length + body


def parse_integer(value: bytes) -> int:
    if not value.isdigit() or len(value) > 19:
        raise ValueError("bad number in its PAX header")
    return int(value)


def parse_time(value: bytes) -> int:
    """Decimal seconds, with any number of digits after the point, to nanoseconds rounded down in magnitude."""
    negative = value[:1] == b"-"
    whole, _, fraction = value.removeprefix(b"-").partition(b".")
    if not whole.isdigit() or len(whole) > 19 or (fraction and not fraction.isdigit()):
        raise ValueError("bad time in its PAX header")
    time_ns = int(whole) * 1_000_000_000 + int(fraction[:9].ljust(9, b"0"))
    return -time_ns if negative else time_ns


def format_time(time_ns: int) -> bytes:
    whole, fraction_ns = divmod(abs(time_ns), 1_000_000_000)
    text = b"%d.%09d" % (whole, fraction_ns)
    return (b"-" if time_ns < 0 else b"") + text.rstrip(b"0").removesuffix(b".")
