"""Where the data of a sparse archive entry belongs: the three GNU encodings, read into one form.

Layout      A map is a list of (offset, length) pieces in ascending order; between them, and up to the file's size, are
            holes. The archive stores the pieces one after another.
Invariants  A checked map never overlaps, never reaches past the file's size, and its lengths add up to what is stored.
Errors      ValueError with the reason; the reader turns it into InvalidArgument naming the entry.
Spec        GNU tar manual, "Storing Sparse Files"; old format in tar.h (struct sparse), PAX formats 0.0, 0.1 and 1.0.
"""

SparseMap = list[tuple[int, int]]

# 24 MiB of map at most; the most fragmented disk images have some ten thousand pieces.
MAX_PIECES = 1 << 18

_MAX_SIZE = (1 << 63) - 1
_OLD_PIECES_IN_HEADER = 4
_OLD_PIECES_IN_EXTENSION = 21


def check(pieces: SparseMap, *, size: int, stored_bytes: int) -> None:
    if not 0 <= size <= _MAX_SIZE:
        raise ValueError("invalid size of sparse entry")
    position = stored = 0
    for offset, length in pieces:
        if length < 0 or offset < position or offset + length > size:
            raise ValueError("invalid sparse map")
        position = offset + length
        stored += length
    if stored != stored_bytes:
        raise ValueError("sparse map does not match the stored size")


def parse_text(numbers: list[bytes]) -> SparseMap:
    """Pairs of decimal numbers, as all PAX formats have them."""
    if len(numbers) % 2 or len(numbers) > 2 * MAX_PIECES:
        raise ValueError("invalid sparse map")
    if not all(number.isdigit() and len(number) <= 19 for number in numbers):
        raise ValueError("invalid number in sparse map")
    values = [int(number) for number in numbers]
    return list(zip(values[::2], values[1::2], strict=True))


def parse_old(fields: bytes, *, in_header: bool) -> list[tuple[bytes, bytes]]:
    """The (offset, length) number fields in use in an old GNU header's map, or in one extension block."""
    count = _OLD_PIECES_IN_HEADER if in_header else _OLD_PIECES_IN_EXTENSION
    pairs = [(fields[at : at + 12], fields[at + 12 : at + 24]) for at in range(0, 24 * count, 24)]
    return [pair for pair in pairs if pair[0][0]]
