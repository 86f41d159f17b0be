"""For all unit tests: what one test does to the machine or leaves to the garbage collector is no other test's failure.

Hypothesis gives every example the time it takes: a busy machine fails none. What a failed test held (its frames live in
the traceback) is dropped at once and without a word: warnings are errors here, and a socket that the collector finds
unclosed later would fail whichever innocent test runs then.
"""

import gc
import sys
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("unit", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")

_has_failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note that the test failed in some phase."""
    report = yield
    if report.failed:
        item.stash[_has_failed] = True
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Collect the garbage of a failed test."""
    result = yield
    if item.stash.get(_has_failed, False):
        sys.last_type = sys.last_value = sys.last_traceback = None
        hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
        try:
            gc.collect()
        finally:
            sys.unraisablehook = hook
    return result
