"""Docker's json-file format, reading side: blocks of entries become what a client of `logs` receives.

Two ways through a block of whole lines, with the same result:
  quick  every line has the shape that `logs.jsonfile` writes (fixed length behind the text): list and bytes
         operations in C, nothing interpreted per entry but a few comprehension steps;
  exact  anything else: other writers' files, attributes, times to compare, parts of lines, a torn line: JSON, entry
         by entry.

Invariants  1. A non-TTY client gets a frame per entry: 8 bytes (stream, 0, 0, 0, length big-endian) and the text, as
               clients that show frames as lines rely on it. A TTY client gets the texts alone.
            2. A line that is no JSON object with text and stream is skipped: a power cut or a full disk tore it.
Units       Times in nanoseconds of the Unix epoch.
"""

import json
from calendar import timegm

from sampan.logs.jsonfile import ENTRY_START, STREAMS, timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_TIME_BYTES = 30
# Behind the text: \n","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}
_MARKS = {b'\\n","stream":"std%s","time":"' % end: n for n, end in enumerate((b"out", b"err"), 1)}
_MARK_BYTES = len(next(iter(_MARKS)))
_TAIL_BYTES = _MARK_BYTES + _TIME_BYTES + 2
_TIME_AT = -_TIME_BYTES - 2
_TEXT_AT = len(ENTRY_START)

# Bytes that are in no UTF-8 text, so they can stand for a line's end and a backslash while escapes are undone.
_LINE, _BACKSLASH = b"\xff", b"\xfe"
_SHORT_ESCAPES = {b'\\"': b'"', b"\\n": b"\n", b"\\r": b"\r", b"\\t": b"\t", b"\\/": b"/", b"\\b": b"\b", b"\\f": b"\f"}


class Headers(dict[int, bytes]):
    """Length of a text to its frame header, made when first asked for."""

    __slots__ = ("_stream",)
    _LIMIT = 65536

    def __init__(self, stream: int) -> None:
        self._stream = stream

    def __missing__(self, length: int) -> bytes:
        header = bytes((self._stream, 0, 0, 0)) + length.to_bytes(4, "big")
        # Entries of ours are far shorter; a foreign file must not fill the table.
        if length < self._LIMIT:
            self[length] = header
        return header


_HEADERS = {n: Headers(n) for n in (1, 2)}


class Selection:
    """What of a log is wanted, and in which form."""

    __slots__ = ("details", "since_ns", "stderr", "stdout", "timestamps", "tty", "until_ns")

    def __init__(
        self,
        *,
        stdout: bool = True,
        stderr: bool = True,
        since_ns: int = 0,
        until_ns: int = 0,
        timestamps: bool = False,
        details: bool = False,
        tty: bool = False,
    ) -> None:
        """`since_ns` and `until_ns` 0: no bound; both bounds are inclusive."""
        self.stdout = stdout
        self.stderr = stderr
        self.since_ns = since_ns
        self.until_ns = until_ns
        self.timestamps = timestamps
        self.details = details
        self.tty = tty


class Decoder:
    """Turns blocks of whole lines into a client's bytes. `ended` becomes true at the first entry after `until_ns`."""

    __slots__ = ("_selection", "ended")

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self.ended = False

    def decode(self, block: bytes) -> bytes:
        """The selected entries of `block`, which ends at a line end (an unfinished last line is skipped)."""
        if not block.endswith(b"\n"):
            block = block[: block.rfind(b"\n") + 1]
        if not block or self.ended:
            return b""
        selection = self._selection
        first_ns, last_ns = _block_times(block) if selection.since_ns or selection.until_ns else (0, 0)
        # Entries are in time order, but for the moment when somebody sets the clock back.
        if selection.since_ns and last_ns is not None and last_ns < selection.since_ns:
            return b""
        in_bounds = (
            first_ns is not None
            and last_ns is not None
            and first_ns >= selection.since_ns
            and (not selection.until_ns or last_ns <= selection.until_ns)
        )
        quick = self._decode_quick(block) if in_bounds and not selection.details else None
        return b"".join(self._decode_exactly(block)) if quick is None else quick

    def _decode_quick(self, block: bytes) -> bytes | None:
        """None when a line has another shape than the writer's."""
        selection = self._selection
        lines = block.split(b"\n")
        lines.pop()
        marks = {line[-_TAIL_BYTES:_TIME_AT] for line in lines}
        if not marks <= _MARKS.keys() or not block.startswith(ENTRY_START):
            return None
        if block.count(b"\n" + ENTRY_START) != len(lines) - 1:
            return None
        if len(marks) == 1 and not self._wants(_MARKS[next(iter(marks))]):
            return b""
        texts = _unescape_texts([line[_TEXT_AT:-_TAIL_BYTES] for line in lines])
        if texts is None:
            return None
        streams = [_MARKS[line[-_TAIL_BYTES:_TIME_AT]] for line in lines] if len(marks) > 1 else None
        if selection.timestamps:
            texts = [b"%s %s" % (line[_TIME_AT:-2], text) for line, text in zip(lines, texts, strict=True)]
        if streams is not None and not (selection.stdout and selection.stderr):
            texts = [text for text, stream in zip(texts, streams, strict=True) if self._wants(stream)]
            streams = [stream for stream in streams if self._wants(stream)]
        if not texts:
            return b""
        # The newline of every text was left out so far; as the separator of the join it costs nothing.
        if selection.tty:
            return b"\n".join(texts) + b"\n"
        if streams is None:
            headers = _HEADERS[_MARKS[next(iter(marks))]]
            framed = [headers[len(text) + 1] + text for text in texts]
        else:
            framed = [_HEADERS[stream][len(text) + 1] + text for text, stream in zip(texts, streams, strict=True)]
        return b"\n".join(framed) + b"\n"

    def _wants(self, stream: int) -> bool:
        return self._selection.stdout if stream == 1 else self._selection.stderr

    def _decode_exactly(self, block: bytes) -> "Iterator[bytes]":
        selection = self._selection
        for line in block.splitlines():
            entry = parse_entry(line)
            if entry is None:
                continue
            stream, text, time_ns, attrs = entry
            if time_ns < selection.since_ns:
                continue
            if selection.until_ns and time_ns > selection.until_ns:
                self.ended = True
                return
            if not self._wants(stream):
                continue
            if selection.details:
                text = _details(attrs) + text
            if selection.timestamps:
                text = timestamp(time_ns) + b" " + text
            if not selection.tty:
                yield _HEADERS[stream][len(text)]
            yield text


def _unescape_texts(texts: list[bytes]) -> list[bytes] | None:
    body = _LINE.join(texts)
    if b"\\" not in body:
        return texts
    if body.count(_LINE) != len(texts) - 1:
        return None
    plain = _unescape(body)
    return None if plain is None else plain.split(_LINE)


def _unescape(body: bytes) -> bytes | None:
    """Undo the escapes of many texts at once; None when there is one that takes a real JSON parser."""
    if _BACKSLASH in body:
        return None
    # A backslash that starts an escape is the first of its run, so pairs found from the left are escaped backslashes.
    body = body.replace(b"\\\\", _BACKSLASH)
    at = 0
    while (at := body.find(b"\\", at)) >= 0:
        code = body[at : at + 2]
        raw = _SHORT_ESCAPES.get(code)
        if raw is None:
            code = body[at : at + 6]
            raw = _unescape_code(code)
            if raw is None:
                return None
        body = body.replace(code, raw)
    return body.replace(_BACKSLASH, b"\\")


def _unescape_code(code: bytes) -> bytes | None:
    """UTF-8 of a `\\uXXXX`; None for halves of surrogate pairs, which need their neighbour, and for no escape."""
    if code[:2] != b"\\u" or len(code) != 6 or not code[2:].isalnum():
        return None
    try:
        point = int(code[2:].decode(), base=16)
    except ValueError:
        return None
    return None if 0xD800 <= point < 0xE000 or point == 0x5C else chr(point).encode()


def parse_entry(line: bytes) -> "tuple[int, bytes, int, dict[str, Any]] | None":
    """(stream number, text, time, attributes) of one line; None when it is torn or no entry."""
    try:
        entry = json.loads(line)
        text = _utf8(entry["log"])
        stream = STREAMS.index(entry["stream"]) + 1
        time_ns = parse_time_ns(entry["time"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return stream, text, time_ns, entry.get("attrs") or {}


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair, in a file of another writer.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _block_times(block: bytes) -> tuple[int | None, int | None]:
    """Times of the first and the last entry."""
    first = block[: block.index(b"\n")]
    last = block[block.rfind(b"\n", 0, len(block) - 1) + 1 : -1]
    return entry_time_ns(first), entry_time_ns(last)


def entry_time_ns(line: bytes) -> int | None:
    """The time of an entry of the writer's shape; None for another."""
    try:
        return parse_time_ns(line[_TIME_AT:-2].decode())
    except ValueError:
        return None


def parse_time_ns(text: str) -> int:
    """RFC 3339 in UTC, with up to nine decimals; ValueError for anything else."""
    if len(text) < 20 or text[10] != "T" or text[-1] != "Z" or (len(text) > 20 and text[19] != "."):
        raise ValueError(f"not a log time: {text!r}")
    fields = (int(text[0:4]), int(text[5:7]), int(text[8:10]), int(text[11:13]), int(text[14:16]), int(text[17:19]))
    return timegm((*fields, 0, 0, 0)) * 1_000_000_000 + int(text[20:-1].ljust(9, "0")[:9])


def _details(attrs: "dict[str, Any]") -> bytes:
    """Attributes as Docker shows them: sorted key=value pairs, percent-encoded, and always a space behind."""
    from urllib.parse import quote_plus

    pairs = (f"{quote_plus(key)}={quote_plus(str(value))}" for key, value in sorted(attrs.items()))
    return ",".join(pairs).encode() + b" "
