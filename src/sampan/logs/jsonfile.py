"""Docker's json-file format, writing side: what a process printed becomes lines of JSON.

Layout      {"log":"text\\n","stream":"stdout","attrs":{...},"time":"2026-01-02T03:04:05.123456789Z"}\\n
            One entry a line. `attrs` is left out when empty. The time always has nine decimals and ends in Z, so
            everything behind the text has a fixed length, which `logs.decode` relies on for speed (not for truth).
Invariants  1. An entry's text is a line with its newline; without one it is a part of a line longer than
               PART_BYTES, or the unfinished last line of a stream. Joining texts gives back the stream.
            2. The text is escaped before line ends become separators, so no output can forge an entry: a raw quote,
               newline or control character in the file is always ours.
            3. Invalid UTF-8 becomes U+FFFD (one for a cut sequence; Docker's count differs). Everything else is kept.
            4. A chunk costs a fixed number of C-level passes, however many lines it has.
Units       Bytes; times in nanoseconds of the Unix epoch. All lines that one chunk completes bear that chunk's time.
Errors      None: every input has an encoding.
"""

import time
from _json import encode_basestring

STREAMS = ("stdout", "stderr")

PART_BYTES = 16384
"""A line is cut after so many bytes (its newline counted), as Docker's copier does."""

ENTRY_START = b'{"log":"'
ENTRY_END = b'"}\n'


def _escapes() -> dict[int, bytes]:
    found = {code: b"\\u%04x" % code for code in (*range(32), *b"<>&")}
    found.update({ord("\r"): b"\\r", ord('"'): b'\\"', ord("\\"): b"\\\\"})
    del found[ord("\n")]
    return found


ESCAPES = _escapes()
"""Byte to its escape; newline is apart, as it ends an entry."""

_ORDINARY = bytes(set(range(256)) - set(ESCAPES))
_ESCAPED_LINE_SEPARATORS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))


def escape(text: bytes) -> bytes:
    """The inside of a JSON string for `text`, except that newlines stay as they are."""
    # What is left after deleting the ordinary bytes names the few replacements that this text needs.
    present = set(text.translate(None, _ORDINARY))
    if len(present) > _BINARY:
        return _escape_binary(text)
    if not text.isascii():
        text = _escape_wide(text, present)
    if not present:
        return text
    if 0x5C in present:
        text = text.replace(b"\\", b"\\\\")
        present.discard(0x5C)
    if _REPLACEMENT in present:
        text = text.replace(b"\xef\xbf\xbd", b"\\ufffd")
        present.discard(_REPLACEMENT)
    if _SEPARATOR in present:
        for raw, escaped in _ESCAPED_LINE_SEPARATORS:
            text = text.replace(raw, escaped)
        present.discard(_SEPARATOR)
    for code in present:
        text = text.replace(bytes((code,)), ESCAPES[code])
    return text


# Marks in the set of bytes present; no byte has these values.
_REPLACEMENT, _SEPARATOR = 256, 257


# So many kinds of bytes to escape are no text: one pass that knows them all is cheaper than a pass for each.
_BINARY = 16
_LINE_END = "\udc0a"  # a lone surrogate: decoding never yields one, so it can stand for the newlines meanwhile


def _escape_binary(text: bytes) -> bytes:
    """As `escape`, for what is hardly text; `<`, `>` and `&` stay as they are."""
    marked = text.decode("utf-8", "replace").replace("\n", _LINE_END)
    escaped = encode_basestring(marked)[1:-1].encode("utf-8", "surrogatepass")
    return escaped.replace(_LINE_END.encode("utf-8", "surrogatepass"), b"\n")


def _escape_wide(text: bytes, present: set[int]) -> bytes:
    """Make `text` valid UTF-8, and note in `present` what of it must be escaped afterwards."""
    try:
        text.decode()
    except UnicodeDecodeError:
        text = text.decode("utf-8", "replace").encode()
        present.add(_REPLACEMENT)
    if b"\xe2\x80" in text:
        present.add(_SEPARATOR)
    return text


def timestamp(time_ns: int) -> bytes:
    """RFC 3339 in UTC with nine decimals, always 30 bytes (for the years 1000 to 9999)."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return b"%s.%09dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode(), rest)


class Encoder:
    """One stream of one process, from chunks as they were read to entries.

    Keeps what no newline has ended yet, at most PART_BYTES.
    """

    __slots__ = ("_before_time", "_rest")

    def __init__(self, stream: str, *, attrs: bytes = b"") -> None:
        """`attrs` is a JSON object repeated in every entry (the labels and variables that log options name)."""
        self._before_time = b'","stream":"%s",' % stream.encode() + (b'"attrs":%s,' % attrs if attrs else b"")
        self._before_time += b'"time":"'
        self._rest = b""

    def feed(self, chunk: bytes, time_ns: int) -> bytes:
        """The entries that `chunk` completes; empty when it ends no line."""
        text = self._rest + chunk if self._rest else chunk
        after = self._before_time + timestamp(time_ns) + ENTRY_END
        out = []
        at, size = 0, len(text)
        # Window by window: that finds the long lines, and blocks of this size are the quickest to allocate.
        while True:
            end = text.rfind(b"\n", at, at + PART_BYTES) + 1
            if end:
                out.append(_entries(text[at:end], after))
            elif size - at >= PART_BYTES:
                end = _part_end(text, at)
                out.append(ENTRY_START + escape(text[at:end]) + after)
            else:
                break
            at = end
        self._rest = text[at:]
        return b"".join(out)

    def flush(self, time_ns: int) -> bytes:
        """The entry of an unfinished last line, at the stream's end."""
        rest, self._rest = self._rest, b""
        if not rest:
            return b""
        return ENTRY_START + escape(rest) + self._before_time + timestamp(time_ns) + ENTRY_END


def _entries(lines: bytes, after: bytes) -> bytes:
    """Entries of whole lines; `after` is what follows a text."""
    return ENTRY_START + escape(lines[:-1]).replace(b"\n", b"\\n" + after + ENTRY_START) + b"\\n" + after


def _part_end(text: bytes, start: int) -> int:
    """Where the part that begins at `start` ends: PART_BYTES later, or up to three bytes before, so that no valid
    character is cut in two (Docker cuts it, and both halves become U+FFFD)."""
    end = start + PART_BYTES
    for back in range(1, 4):
        byte = text[end - back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return end - back if length > back else end
        if byte < 0x80:
            break
    return end
