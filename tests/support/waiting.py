"""Waiting for a condition, the only way a test may wait."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
INTERVAL_S = 0.01


def eventually(check: Callable[[], T], timeout_s: float = 10.0, why: str = "") -> T:
    """Call `check` until it returns something true, and return that.

    An AssertionError inside `check` counts as not yet; the last one is raised when the time is up.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        late = time.monotonic() >= deadline_s
        try:
            if result := check():
                return result
        except AssertionError:
            if late:
                raise
        if late:
            raise AssertionError(why or f"{getattr(check, '__name__', check)} did not hold within {timeout_s} s")
        time.sleep(INTERVAL_S)
