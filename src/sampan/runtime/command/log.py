"""Where the command says what went wrong: standard error, or the file, syslog or journal that --log names.

Formats     text    time="2026-01-02T03:04:05Z" level=error msg="..."   (a terminal gets "ERRO[0000] ...")
            json    {"level":"error","msg":"...","time":"..."}          one object a line
            Both are runc's: containerd and dockerd read why a verb failed from `msg` of the last line of a JSON log.
Targets     PATH, file:PATH, syslog:[NAME], journald:[NAME] (the last two as crun has them).
Invariants  A failure reaches standard error as well when the log goes elsewhere, as one bare line.
"""

import os
import time

from sampan.base import jsontext
from sampan.errors import InvalidArgument

_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/@^+")
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3}
_SHORT = {"debug": "DEBU", "info": "INFO", "warning": "WARN", "error": "ERRO"}
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_JOURNAL = "/run/systemd/journal/socket"


class Log:
    """Takes messages of four levels; "debug" ones only with `debug`."""

    __slots__ = ("_format", "_is_debug", "_kind", "_name", "_start_s")

    def __init__(self, target: str = "", log_format: str = "text", *, debug: bool = False) -> None:
        if log_format not in ("", "text", "json"):
            raise InvalidArgument(f"invalid log-format: {log_format}")
        self._kind, self._name = _target(target)
        self._format = log_format or "text"
        self._is_debug = debug
        self._start_s = time.monotonic()

    @property
    def is_standard_error(self) -> bool:
        return self._kind == "stderr"

    def debug(self, message: str) -> None:
        if self._is_debug:
            self._write("debug", message)

    def info(self, message: str) -> None:
        self._write("info", message)

    def warning(self, message: str) -> None:
        self._write("warning", message)

    def error(self, message: str) -> None:
        self._write("error", message)

    def fatal(self, message: str) -> None:
        """The reason why the command ends: to the log, and to whoever looks at standard error."""
        self.error(message)
        if not self.is_standard_error:
            _write_all(2, message + "\n")

    def _write(self, level: str, message: str) -> None:
        if self._kind == "syslog":
            _to_syslog(self._name, _PRIORITIES[level], message)
        elif self._kind == "journald":
            _to_journal(self._name, _PRIORITIES[level], message)
        elif self._kind == "stderr":
            _write_all(2, self._line(level, message, is_terminal=os.isatty(2)))
        else:
            self._append(self._line(level, message, is_terminal=False))

    def _append(self, line: str) -> None:
        try:
            fd = os.open(self._name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            _write_all(2, f"cannot write the log {self._name}: {error.strerror}\n{line}")
            return
        _write_all(fd, line)
        os.close(fd)

    def _line(self, level: str, message: str, *, is_terminal: bool) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self._format == "json":
            return jsontext.dumps({"level": level, "msg": message, "time": when}) + "\n"
        if is_terminal:
            return f"{_SHORT[level]}[{int(time.monotonic() - self._start_s):04d}] {message.rstrip()}\n"
        return f'time="{when}" level={level} msg={quote(message)}\n'


def quote(message: str) -> str:
    """A value as logrus writes it: bare when it is one plain word, else a Go string literal."""
    if message and all(character in _SAFE for character in message):
        return message
    return '"' + "".join(_escape(character) for character in message) + '"'


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


def _target(target: str) -> "tuple[str, str]":
    if target in ("", "/dev/stderr"):
        return "stderr", ""
    kind, colon, name = target.partition(":")
    if not colon or "/" in kind:
        # Some verbs change their working directory.
        return "file", os.path.abspath(target)
    if kind == "file":
        return "file", os.path.abspath(name)
    if kind in ("syslog", "journald"):
        return kind, name or "sampan-runtime"
    raise InvalidArgument(f"unknown log type specified: `{kind}`")


def _write_all(fd: int, text: str) -> None:
    view = memoryview(text.encode("utf-8", "surrogateescape"))
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError:
        # Standard error may be closed or full; there is nowhere left to report that.
        return


def _to_syslog(name: str, priority: int, message: str) -> None:
    import syslog

    syslog.openlog(name, syslog.LOG_PID, syslog.LOG_USER)
    syslog.syslog(priority, message)


def _to_journal(name: str, priority: int, message: str) -> None:
    # KEY=value lines; a value of several lines has its length in front (systemd, "Native Journal Protocol").
    import _socket

    body = message.encode("utf-8", "surrogateescape")
    head = f"PRIORITY={priority}\nSYSLOG_IDENTIFIER={name}\nID={name}\nMESSAGE\n".encode()
    journal = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        journal.sendto(head + len(body).to_bytes(8, "little") + body + b"\n", _JOURNAL)
    except OSError as error:
        _write_all(2, f"cannot write to the journal: {error.strerror}\n{message}\n")
    finally:
        journal.close()
