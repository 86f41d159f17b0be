"""Short-lived children that do one thing in another root, then answer and end.

A helper is a function of (descriptors, keyword arguments) that returns JSON values. Other packages bring theirs: the
daemon names their modules on the launcher's command line, and each module's HELPERS is a table of them. A helper
reports by one message on the answer socket: "ok" with its result, or "error" with class and text. Silence means it was
killed.
"""

import _socket as socket
import os
import sys

from sampan import errors
from sampan.runtime import cleanup, message

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any, NoReturn

    Helper = Callable[..., dict[str, object]]
else:
    import _signal as signal  # the same functions without the enums around them


def _clean_up(fds: "list[int]", *, exec_dir: str, exit_path: str, cgroup: str) -> "dict[str, object]":
    return cleanup.clean_up(exec_dir, exit_path, cgroup).to_json()


def _try_id_mapping(fds: "list[int]", **arguments: "Any") -> "dict[str, object]":
    # Once in a daemon's life, and not in most: no part of the launcher's memory.
    from sampan.runtime.launcher.idmaptrial import run as try_out

    return try_out(**arguments)


_helpers: "dict[str, Helper]" = {"clean_up": _clean_up, "try_id_mapping": _try_id_mapping}


def register(module_name: str) -> None:
    """Add the HELPERS of a module, imported now so that children find it in memory."""
    __import__(module_name)
    _helpers.update(sys.modules[module_name].HELPERS)


def run(body: "dict[str, Any]", fds: "list[int]") -> "NoReturn":
    """Carry one helper request out, in a process that the launcher has just forked."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        answer = socket.socket(fileno=fds.pop(0))
        message.send(answer, _answer(body, fds))
        code = 0
    except BaseException as error:  # the process's edge
        sys.stderr.write(f"helper {body.get('name')}: {type(error).__name__}: {error}\n")
        sys.stderr.flush()
    finally:
        os._exit(code)  # even without a standard error: above on the stack is the launcher's loop


def _answer(body: "dict[str, Any]", fds: "list[int]") -> "dict[str, object]":
    try:
        return {"ok": _helpers[body["name"]](fds, **body["arguments"])}
    except errors.Error as error:
        return {"error": {"class": type(error).__name__, "message": str(error), "exit_code": 0}}
    except OSError as error:
        return {"error": {"class": "Internal", "message": str(error), "exit_code": 0}}
