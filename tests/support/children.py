"""Forked children of the test process: they do one thing and end, and never come back into pytest."""

import os
import signal
import sys
import traceback
from collections.abc import Callable

UNEXPECTED = 70  # the exit code of a child whose action raised


def fork(action: Callable[[], object]) -> int:
    """A child that calls `action`; its pid. It ends with 0, or UNEXPECTED and a traceback."""
    pid = os.fork()
    if pid:
        return pid
    code = UNEXPECTED
    try:
        signal.alarm(20)  # no child outlives its test, whatever it waits for
        action()
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(code)


def code(pid: int) -> int:
    """Wait for a child's end: its exit code, or the negative number of the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def code_of(action: Callable[[], object]) -> int:
    """Fork and wait."""
    return code(fork(action))
