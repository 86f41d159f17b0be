from sampan.linux.constants import SECCOMP_FILTER_FLAG_NEW_LISTENER
from sampan.runtime.filter import Filter


def test_a_filter_survives_the_way_through_json() -> None:
    program = bytes(range(256))
    found = Filter.from_json(Filter(program, 5).to_json())
    assert found is not None and (found.program, found.flags) == (program, 5)


def test_no_filter_is_none() -> None:
    assert Filter.from_json(None) is None


def test_a_listener_is_a_matter_of_flags() -> None:
    assert Filter(b"", SECCOMP_FILTER_FLAG_NEW_LISTENER | 2).needs_listener
    assert not Filter(b"", 2).needs_listener
