"""Named places at which a test makes the program fail; free when off.

SAMPAN_FAILPOINTS="content.commit.renamed=kill;snapshot.prepare=error" arms them for a process and its children.
Actions: `kill` (SIGKILL to oneself), `error` (OSError EIO), `exit` (leave with status 99), each optionally with
`N*` in front: only the N-th time the place is reached.
"""

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # the same functions without the enums around them

_armed: dict[str, tuple[int, str]] = {}
_seen: dict[str, int] = {}


def arm(text: str) -> None:
    """Replace the armed points by those of `text` (the syntax above); an empty text disarms all."""
    _armed.clear()
    _seen.clear()
    for part in filter(None, text.split(";")):
        name, _, action = part.partition("=")
        count, star, what = action.rpartition("*")
        if what not in ("kill", "error", "exit"):
            raise ValueError(f"unknown failpoint action {action!r}")
        _armed[name] = (int(count) if star else 0, what)


def failpoint(name: str) -> None:
    """Do what the place `name` is armed for; nothing otherwise."""
    if _armed and name in _armed:
        _fire(name)


def _fire(name: str) -> None:
    at, action = _armed[name]
    _seen[name] = _seen.get(name, 0) + 1
    if at and _seen[name] != at:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "exit":
        os._exit(99)
    raise OSError(errno.EIO, f"failpoint {name}")


arm(os.environ.get("SAMPAN_FAILPOINTS", ""))
