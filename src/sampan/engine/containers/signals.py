"""Signals by Docker's names: TERM, SIGTERM, 15, RTMIN+3, in any case."""

import signal

from sampan.errors import InvalidArgument

_RTMIN, _RTMAX = 34, 64  # as C libraries leave them to programs; the kernel's own start at 32


def _table() -> dict[str, int]:
    found = {item.name.removeprefix("SIG"): int(item) for item in signal.Signals}
    found |= {"CLD": 17, "IOT": 6, "POLL": 29, "STKFLT": 16, "UNUSED": 31}
    middle = (_RTMIN + _RTMAX) // 2
    found |= {f"RTMIN+{n}": _RTMIN + n for n in range(1, middle - _RTMIN + 1)}
    found |= {f"RTMAX-{n}": _RTMAX - n for n in range(1, _RTMAX - middle)}
    return found | {"RTMIN": _RTMIN, "RTMAX": _RTMAX}


_NUMBERS = _table()


def parse_signal(text: str) -> int:
    """The signal's number; InvalidArgument with Docker's words when there is no such signal."""
    if text.isascii() and text.isdigit():
        number = int(text)
        if number == 0:
            raise InvalidArgument(f"invalid signal: {text}")
        return number
    found = _NUMBERS.get(text.upper().removeprefix("SIG"))
    if found is None:
        raise InvalidArgument(f"invalid signal: {text}")
    return found


def deliverable(text: str) -> int:
    """The same for a signal that is going to be sent: its number must exist on Linux."""
    number = parse_signal(text)
    if not 1 <= number <= _RTMAX:
        raise InvalidArgument(f"the linux daemon does not support signal {number}")
    return number
