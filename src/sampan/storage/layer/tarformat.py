"""The tar header block: an archive entry's fields, to and from 512 bytes.

Layout      name 100 | mode 8 | uid 8 | gid 8 | size 12 | mtime 12 | checksum 8 | type 1 | linkname 100 | magic 8 |
            uname 32 | gname 32 | devmajor 8 | devminor 8 | prefix 155 | 12 unused.
            v7 has neither magic nor prefix; GNU ("ustar  ") keeps times and a sparse map where ustar has the prefix;
            star ("tar\\0" at the end) has a shorter one. Numbers are octal text, or base 256 when the top bit is set.
Invariants  1. Names are bytes as archived: nothing here decides whether one is safe to use.
            2. A header is only believed when its checksum is right.
            3. What `encode_entry` writes, this package's reader, GNU tar and Go's archive/tar read back unchanged.
Units       Sizes in bytes, times in nanoseconds since the epoch.
Errors      InvalidArgument.
Spec        POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
"""

from struct import Struct
from zlib import adler32

from sampan.errors import InvalidArgument
from sampan.storage.layer import pax

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.storage.layer.sparse import SparseMap

BLOCK_BYTES = 512
ZERO_BLOCK = bytes(BLOCK_BYTES)
TRAILER = bytes(2 * BLOCK_BYTES)

REGULAR = b"0"
HARD_LINK = b"1"
SYMLINK = b"2"
CHARACTER = b"3"
BLOCK = b"4"
DIRECTORY = b"5"
FIFO = b"6"
CONTIGUOUS = b"7"
OLD_REGULAR = b"\0"
GNU_SPARSE = b"S"
GNU_LONG_NAME = b"L"
GNU_LONG_LINK = b"K"
GNU_DUMPDIR = b"D"
GNU_VOLUME = b"V"
PAX_LOCAL = b"x"
PAX_GLOBAL = b"g"
SOLARIS_PAX = b"X"

_FIELDS = Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")
_MAX_QUOTED_BYTES = 512
_MAX_OCTAL_7 = 0o7777777
_MAX_OCTAL_11 = 0o77777777777
_MAX_NUMBER = (1 << 63) - 1

# Modes, owners and times repeat from one entry to the next; a look-up costs a fifth of a conversion.
_numbers: dict[bytes, int] = {}
_NUMBERS_KEPT = 8192


class Entry:
    """One member of an archive.

    `size` is the length of the file it makes; `stored_bytes` what the archive holds for it, less for a sparse file.
    """

    __slots__ = (
        "device_major",
        "device_minor",
        "gid",
        "kind",
        "linkname",
        "mode",
        "mtime_ns",
        "name",
        "size",
        "sparse_map",
        "stored_bytes",
        "uid",
        "xattrs",
    )

    def __init__(
        self,
        name: bytes,
        kind: bytes,
        *,
        mode: int = 0o644,
        uid: int = 0,
        gid: int = 0,
        size: int = 0,
        mtime_ns: int = 0,
        linkname: bytes = b"",
        device_major: int = 0,
        device_minor: int = 0,
        xattrs: dict[bytes, bytes] | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.stored_bytes = size
        self.mtime_ns = mtime_ns
        self.linkname = linkname
        self.device_major = device_major
        self.device_minor = device_minor
        self.xattrs = xattrs
        self.sparse_map: SparseMap | None = None

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, slot) for slot in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and self._values() == other._values()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"Entry({self.name!r}, {self.kind!r}, mode=0o{self.mode:o}, size={self.size}, linkname={self.linkname!r})"
        )


def quoted(unsafe_name: bytes) -> str:
    """A name for a message: on one line, whatever bytes it holds, as Go's %q; of an endless one the beginning."""
    if len(unsafe_name) > _MAX_QUOTED_BYTES:
        unsafe_name = unsafe_name[:_MAX_QUOTED_BYTES] + b"..."
    text = unsafe_name.decode("utf-8", "backslashreplace").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else repr(char)[1:-1] for char in text) + '"'


def parse_number(field: bytes) -> int:
    """The value of a numeric field, 0 for an empty one."""
    value = _numbers.get(field)
    if value is None:
        value = _convert(field)
        if len(_numbers) < _NUMBERS_KEPT:
            _numbers[field] = value
    return value


def _convert(field: bytes) -> int:
    if field[0] & 0x80:
        bits = 8 * len(field) - 1
        value = int.from_bytes(field, "big") & ((1 << bits) - 1)
        if field[0] & 0x40:
            value -= 1 << bits
        if not -_MAX_NUMBER <= value <= _MAX_NUMBER:
            raise ValueError("number out of range")
        return value
    text = field.strip(b" \0").partition(b"\0")[0].rstrip(b" ")
    if not text:
        return 0
    if not text.isdigit():  # int() would take signs, underscores and prefixes
        raise ValueError("not an octal number")
    return int(text, 8)


def _checksum_matches(block: bytes) -> bool:
    # The low half of Adler-32 is 1 + the sum of the bytes modulo 65521, which 256 bytes cannot reach: an exact sum at
    # a tenth of the cost of sum().
    total = (adler32(block[:256]) & 0xFFFF) + (adler32(block[256:]) & 0xFFFF) - 2
    total += 8 * 0x20 - sum(block[148:156])
    try:
        stored = parse_number(block[148:156])
    except ValueError:
        return False
    if stored == total:
        return True
    # Some old writers summed signed chars.
    high = sum(byte > 127 for byte in block) - sum(byte > 127 for byte in block[148:156])
    return stored == total - 256 * high


def parse_block(block: bytes) -> Entry:
    """The entry that one header block describes, before what extended headers say about it."""
    if not _checksum_matches(block):
        raise InvalidArgument("archive/tar: invalid tar header")
    name, mode, uid, gid, size, mtime, _, kind, linkname, magic, _, _, major, minor, prefix = _FIELDS.unpack(block)
    if name[-1] == 0:
        name = name[: name.index(b"\0")]
    try:
        entry = Entry(name, kind, mode=parse_number(mode), uid=parse_number(uid), gid=parse_number(gid))
        entry.size = entry.stored_bytes = parse_number(size)
        entry.mtime_ns = parse_number(mtime) * 1_000_000_000
        if linkname[0]:
            entry.linkname = linkname.partition(b"\0")[0]
        if kind in (CHARACTER, BLOCK):
            entry.device_major = parse_number(major)
            entry.device_minor = parse_number(minor)
    except ValueError as error:
        raise InvalidArgument(f"archive entry {quoted(name)}: invalid tar header: {error}") from error
    if entry.size < 0:
        raise InvalidArgument(f"archive entry {quoted(name)}: invalid tar header: negative size")
    if prefix[0] and magic[:6] == b"ustar\0":
        width = 131 if block[508:] == b"tar\0" else 155
        entry.name = prefix[:width].partition(b"\0")[0] + b"/" + name
    return entry


def padding_bytes(size: int) -> int:
    """How many zero bytes follow `size` bytes of an entry."""
    return -size % BLOCK_BYTES


def encode_entry(entry: Entry) -> bytes:
    """The header blocks of an entry: ustar, preceded by a PAX header when ustar cannot say it all."""
    records: dict[bytes, bytes] = {}
    name, prefix = _split_name(entry.name)
    if name is None:
        records[b"path"] = entry.name
        name = entry.name[:100]
    if len(entry.linkname) > 100 or not entry.linkname.isascii():
        records[b"linkpath"] = entry.linkname
    seconds, fraction_ns = divmod(entry.mtime_ns, 1_000_000_000)
    if fraction_ns or not 0 <= seconds <= _MAX_OCTAL_11:
        records[b"mtime"] = pax.format_time(entry.mtime_ns)
        seconds = min(max(seconds, 0), _MAX_OCTAL_11)
    for key, value, limit in (
        (b"uid", entry.uid, _MAX_OCTAL_7),
        (b"gid", entry.gid, _MAX_OCTAL_7),
        (b"size", entry.size, _MAX_OCTAL_11),
    ):
        if value > limit:
            records[key] = b"%d" % value
    for xattr, content in (entry.xattrs or {}).items():
        records[pax.XATTR_PREFIX + xattr] = content
    header = _encode_block(entry, name, prefix, seconds)
    return _encode_pax(entry.name, records) + header if records else header


def _split_name(name: bytes) -> tuple[bytes | None, bytes]:
    """A name as ustar's (name, prefix); (None, b"") where only a PAX record can hold it."""
    if not name.isascii():
        return None, b""
    if len(name) <= 100:
        return name, b""
    cut = name.find(b"/", max(len(name) - 101, 1))
    if cut == -1 or cut > 155 or cut == len(name) - 1:
        return None, b""
    return name[cut + 1 :], name[:cut]


def _octal(value: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, value) if value < 8 ** (width - 1) else b"0" * (width - 1) + b"\0"


def _encode_block(entry: Entry, name: bytes, prefix: bytes, seconds: int) -> bytes:
    block = _FIELDS.pack(
        name,
        _octal(entry.mode & 0o7777, 8),
        _octal(entry.uid, 8),
        _octal(entry.gid, 8),
        _octal(entry.size, 12),
        _octal(seconds, 12),
        b" " * 8,
        entry.kind,
        entry.linkname[:100],
        b"ustar\x0000",
        b"",
        b"",
        _octal(entry.device_major, 8),
        _octal(entry.device_minor, 8),
        prefix,
    )
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _encode_pax(name: bytes, records: dict[bytes, bytes]) -> bytes:
    payload = b"".join(pax.format_record(key, records[key]) for key in sorted(records))
    base = name.rstrip(b"/").rpartition(b"/")[2][:80]
    holder = Entry(b"PaxHeaders.0/" + (base if base.isascii() else b"entry"), PAX_LOCAL, size=len(payload))
    return _encode_block(holder, holder.name, b"", 0) + payload + bytes(padding_bytes(len(payload)))
