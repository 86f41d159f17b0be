"""From an error to an HTTP status: the only place that knows both."""

import errno

from sampan import errors
from sampan.api.server.answers import Answer, message_answer

# Nearest class first; what is not listed is a bug or a kernel's refusal: 500.
_STATUSES: tuple[tuple[type[errors.Error], int], ...] = (
    (errors.InvalidArgument, 400),
    (errors.Unauthenticated, 401),
    (errors.PermissionDenied, 403),
    (errors.NotFound, 404),
    (errors.NotModified, 304),
    (errors.Conflict, 409),
    (errors.ResourceExhausted, 429),
    (errors.Unimplemented, 501),
    (errors.Unavailable, 503),
)


def status_of(error: errors.Error) -> int:
    if isinstance(error, errors.StartFailed):
        return 400 if error.exit_code in (126, 127) else 500  # the request named a program that cannot run
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
        return 500  # a full disk: waiting, which 429 asks for, does not help
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def error_answer(error: errors.Error) -> Answer:
    status = status_of(error)
    return Answer(304) if status == 304 else message_answer(status, str(error))
