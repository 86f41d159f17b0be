"""The classes of failure that cross a package boundary.

Each class says what the caller should do; `api.server.errors` maps it to an HTTP status, the command line to an
exit code. The message names the object and the value, in Docker's words where clients match on them.

    Error
    ├── InvalidArgument      fix the request                       400
    ├── Unauthenticated      log in                                401
    ├── PermissionDenied     ask for the right                     403
    ├── NotFound             look elsewhere                        404
    ├── NotModified          do nothing                            304
    ├── Conflict             change the state, retry               409
    │   └── AlreadyExists    choose another name                   409
    ├── ResourceExhausted    wait, or free something               429 (500 for disk)
    ├── Unimplemented        go another way                        501
    ├── Unavailable          retry later                           503
    ├── DataLoss             report it: stored bytes are wrong     500
    └── Internal             report it: a bug or a kernel refusal  500
        └── StartFailed      the container's command did not run   400 or 500
"""


class Error(Exception):
    """Base of every failure that Sampan reports; `str(error)` is the message for the user."""


class InvalidArgument(Error):
    pass


class Unauthenticated(Error):
    pass


class PermissionDenied(Error):
    pass


class NotFound(Error):
    pass


class NotModified(Error):
    pass


class Conflict(Error):
    pass


class AlreadyExists(Conflict):
    pass


class ResourceExhausted(Error):
    pass


class Unimplemented(Error):
    pass


class Unavailable(Error):
    pass


class DataLoss(Error):
    pass


class Internal(Error):
    pass


class StartFailed(Internal):
    """A process could not be started; `exit_code` is 126 (not executable), 127 (not found) or 128 (anything else)."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
