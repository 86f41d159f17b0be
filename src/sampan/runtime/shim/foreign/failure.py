"""Failures of another runtime in Docker's words, with the exit codes that Docker gives the container for them.

Clients tell 126 and 127 by the text, in which they look for the kernel's words as Go writes them: in lower case. A C
program's (crun's) are brought into that form.
"""

from sampan.runtime.restrict import CANNOT_RUN, FAILED, NOT_FOUND
from sampan.runtime.shim.foreign.command import Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CREATE = "failed to create task for container: failed to create shim task: OCI runtime create failed: "
START = "failed to start task for container: OCI runtime start failed: "
EXEC = "OCI runtime exec failed: "

# By what the text contains; the first that fits.
_CODES = (
    (("permission denied", "is a directory"), CANNOT_RUN),
    (("executable file", "no such file or directory", "not a directory"), NOT_FOUND),
)


_WORDS = ("No such file or directory", "Permission denied", "Is a directory", "Not a directory")


def start_error(result: Result, prefix: str) -> "dict[str, Any]":
    """What a `start` or `exec` request is answered with."""
    if result.exit_code:
        return {"message": result.error, "exit_code": result.exit_code}
    message = prefix + result.error
    for word in _WORDS:
        message = message.replace(word, word.lower())
    return {"message": message, "exit_code": code_of(message)}


def code_of(text: str) -> int:
    """126 for what cannot be run, 127 for what is not there, 128 for the rest."""
    return next((code for parts, code in _CODES if any(part in text for part in parts)), FAILED)
