import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.errors import InvalidArgument
from sampan.storage.layer import tarformat
from sampan.storage.layer.tarformat import Entry, encode_entry, parse_block, parse_number, quoted

NAMES = st.binary(min_size=1, max_size=300).filter(lambda name: b"\0" not in name)
TEXT_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=200)
OWNERS = st.integers(0, 2**32 - 2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"0000644\0", 0o644),
        (b"000644 \0", 0o644),
        (b"   644 \0", 0o644),
        (b"77777777", 0o77777777),
        (b"\0\0\0\0\0\0\0\0", 0),
        (b"        ", 0),
        (b"644\0junk", 0o644),
        (b"\x80\0\0\0\0\0\0\x07", 7),
        (b"\x80\0\0\0\x01\0\0\0\0\0\0\0", 1 << 56),
        (b"\xff\xff\xff\xff\xff\xff\xff\xfe", -2),
    ],
)
def test_a_number_is_octal_text_or_base_256(field: bytes, value: int) -> None:
    assert parse_number(field) == value


@pytest.mark.parametrize(
    "field", [b"0000648\0", b"-000001\0", b"0o17\0\0\0\0", b"1_0\0\0\0\0\0", b"\xbf" + b"\xff" * 11]
)
def test_what_is_no_number_is_refused(field: bytes) -> None:
    with pytest.raises(ValueError, match=r"number|base 8"):
        parse_number(field)


def header_of(name: str, **members: object) -> bytes:
    member = tarfile.TarInfo(name)
    for key, value in members.items():
        setattr(member, key, value)
    return member.tobuf(tarfile.USTAR_FORMAT)


def test_a_ustar_header_of_python_is_read() -> None:
    entry = parse_block(header_of("d/f", size=7, mode=0o4755, uid=3, gid=4, mtime=99))
    expected = Entry(b"d/f", b"0", size=7, mode=0o4755, uid=3, gid=4, mtime_ns=99_000_000_000)
    assert entry == expected


def test_a_ustar_prefix_is_part_of_the_name() -> None:
    name = "p" * 90 + "/" + "n" * 90
    assert parse_block(header_of(name)).name == name.encode()


def test_the_prefix_field_of_gnu_is_not_part_of_the_name() -> None:
    block = bytearray(tarfile.TarInfo("f").tobuf(tarfile.GNU_FORMAT))
    block[345:357] = b"00000000001 "
    assert parse_block(rechecked(block)).name == b"f"


def test_a_v7_header_has_no_magic() -> None:
    block = bytearray(header_of("old"))
    block[257:512] = bytes(255)
    block[156:157] = b"\0"
    assert parse_block(rechecked(block)).name == b"old"


def rechecked(block: bytearray, *, signed: bool = False) -> bytes:
    block[148:156] = b" " * 8
    total = sum(byte - 256 if signed and byte > 127 else byte for byte in block)
    block[148:156] = b"%06o\0 " % total
    return bytes(block)


def test_a_checksum_over_signed_bytes_is_accepted() -> None:
    block = bytearray(header_of("x"))
    block[0:4] = b"\xff\xfe\xc3\xa9"
    assert parse_block(rechecked(block, signed=True)).name == b"\xff\xfe\xc3\xa9"


@given(st.integers(0, 511), st.integers(1, 255))
def test_a_changed_byte_never_passes_the_checksum(position: int, change: int) -> None:
    block = bytearray(header_of("some/name", size=12345, mtime=1))
    original = parse_block(bytes(block))
    block[position] ^= change
    try:
        assert parse_block(bytes(block)) == original  # only what the number parser ignores may change
    except InvalidArgument:
        return
    assert 148 <= position < 156


def test_a_negative_size_is_refused() -> None:
    block = bytearray(header_of("x"))
    block[124:136] = b"\xff" * 12
    with pytest.raises(InvalidArgument, match=r'archive entry "x": .*negative size'):
        parse_block(rechecked(block))


@given(
    name=TEXT_NAMES,
    linkname=TEXT_NAMES,
    mode=st.integers(0, 0o7777),
    uid=OWNERS,
    gid=OWNERS,
    mtime_ns=st.integers(-(10**18), 2**62),
)
def test_python_reads_what_is_written(name: str, linkname: str, mode: int, uid: int, gid: int, mtime_ns: int) -> None:
    entry = Entry(name.encode(), b"2", mode=mode, uid=uid, gid=gid, mtime_ns=mtime_ns, linkname=linkname.encode())
    with tarfile.open(fileobj=io.BytesIO(encode_entry(entry) + tarformat.TRAILER), encoding="utf-8") as archive:
        (member,) = archive.getmembers()
    assert member.name == name.rstrip("/")
    assert (member.mode, member.uid, member.gid, member.linkname) == (mode, uid, gid, linkname)
    assert member.mtime == pytest.approx(mtime_ns / 1e9, abs=1e-3)


@given(size=st.integers(0, 2**62))
def test_python_reads_any_size(size: int) -> None:
    blocks = encode_entry(Entry(b"big", b"0", size=size))
    with tarfile.open(fileobj=io.BytesIO(blocks + tarformat.TRAILER), ignore_zeros=True) as archive:
        first = archive.next()
    assert first is not None
    assert first.size == size


def test_names_in_messages_stay_on_one_line() -> None:
    assert quoted(b'a\n"\xff\x1b') == '"a\\n\\"\\xff\\x1b"'
    assert quoted("é".encode()) == '"é"'
    assert len(quoted(b"x" * 100_000)) < 600
