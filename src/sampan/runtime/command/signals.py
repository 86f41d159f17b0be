"""Signals by name and number, and sending one to exactly the process that is meant (pidfd_send_signal(2))."""

import os

from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    from sampan.runtime.command.store import Container
else:
    import _signal as signal  # the same functions without the enums around them

HIGHEST = 64
# Where the C library has them begin and end (signal(7)); `_signal` knows them as well, but not all Pythons do.
_RTMIN, _RTMAX = 34, 64


def parse(word: str) -> int:
    """The number of "9", "KILL", "sigkill" or "SIGRTMIN+3"; InvalidArgument when there is none of that name."""
    if word.isdecimal():
        found = int(word)
        if found <= HIGHEST:
            return found
        raise InvalidArgument(f'unknown signal "{word}"')
    name = word.upper().removeprefix("SIG")
    for base, sign, start in (("RTMIN", "+", _RTMIN), ("RTMAX", "-", _RTMAX)):
        head, found_sign, tail = name.partition(sign)
        if head == base and tail.isdecimal() == bool(found_sign):
            number = start + int(f"{sign}{tail or 0}")
            if _RTMIN <= number <= _RTMAX:
                return number
    named = getattr(signal, f"SIG{name}", None)
    if not isinstance(named, int) or name.startswith("_"):
        raise InvalidArgument(f'unknown signal "{word}"')
    return int(named)


def open_init(container: "Container") -> int:
    """A pidfd of the container's first process, -1 when that has ended."""
    if not container.pid:
        return -1
    try:
        fd = os.pidfd_open(container.pid)
    except ProcessLookupError:
        return -1
    # Whoever has the pid now keeps it as long as the descriptor is open: the check cannot be overtaken.
    if container.is_alive():
        return fd
    os.close(fd)
    return -1


def send(container: "Container", number: int) -> bool:
    """Signal the first process; False when it has ended."""
    fd = open_init(container)
    if fd < 0:
        return False
    try:
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


def wait_end(container: "Container", timeout_s: float) -> bool:
    """Wait for the first process to end; whether it has."""
    import select

    fd = open_init(container)
    if fd < 0:
        return True
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))
    finally:
        os.close(fd)
