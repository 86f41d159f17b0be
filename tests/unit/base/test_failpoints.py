import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sampan.base import failpoints
from sampan.base.failpoints import arm, failpoint
from support.children import code_of


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    arm("")


def test_a_place_that_is_not_armed_does_nothing() -> None:
    failpoint("some.place")
    arm("other.place=error")
    failpoint("some.place")


def test_an_armed_place_fails_like_a_disk() -> None:
    arm("some.place=error")
    with pytest.raises(OSError, match=r"failpoint some\.place"):
        failpoint("some.place")


def test_kill_leaves_no_chance_to_tidy() -> None:
    def killed() -> None:
        arm("some.place=kill")
        try:
            failpoint("some.place")
        finally:
            os._exit(1)

    assert code_of(killed) == -signal.SIGKILL


def test_exit_leaves_with_its_own_status() -> None:
    def left() -> None:
        arm("some.place=exit")
        failpoint("some.place")

    assert code_of(left) == 99


def test_a_count_picks_one_visit_only() -> None:
    arm("some.place=3*error")
    failpoint("some.place")
    failpoint("some.place")
    with pytest.raises(OSError, match="failpoint"):
        failpoint("some.place")
    failpoint("some.place")


def test_several_places_are_armed_at_once_and_counted_apart() -> None:
    arm("one=2*error;two=error;")
    failpoint("one")
    with pytest.raises(OSError, match="two"):
        failpoint("two")
    with pytest.raises(OSError, match="one"):
        failpoint("one")


def test_arming_again_forgets_places_and_counts() -> None:
    arm("one=2*error")
    failpoint("one")
    arm("one=2*error")
    failpoint("one")
    arm("")
    failpoint("one")


@pytest.mark.parametrize("text", ["one=explode", "one", "one=", "one=2*"])
def test_an_unknown_action_is_a_mistake_not_a_silence(text: str) -> None:
    with pytest.raises(ValueError, match="unknown failpoint action"):
        arm(text)


def test_the_environment_arms_a_process_and_its_children() -> None:
    source = os.path.dirname(os.path.dirname(os.path.dirname(failpoints.__file__)))
    program = "import os\nfrom sampan.base.failpoints import failpoint\nif os.fork(): os.wait()\nfailpoint('a.place')"
    ended = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": source, "SAMPAN_FAILPOINTS": "a.place=error"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.count("failpoint a.place") == 2
