import os
from collections.abc import Iterator

import pytest

from sampan.errors import InvalidArgument
from sampan.runtime.command import descriptors
from support import children


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The first of three descriptors in a row; they stand for 3, 4 and 5 of a fresh process."""
    fd = os.open("/dev/null", os.O_RDONLY)
    fds = [os.dup2(fd, 200 + number) for number in range(3)]
    monkeypatch.setattr(descriptors, "FIRST", fds[0])
    yield fds[0]
    for each in (fd, *fds):
        try:
            os.close(each)
        except OSError:
            continue


def test_those_that_the_caller_left_open_are_kept_and_the_others_closed(base: int) -> None:
    def taken() -> None:
        assert descriptors.take(2) == [base, base + 1]
        assert os.path.exists(f"/proc/self/fd/{base + 1}")
        assert not os.path.exists(f"/proc/self/fd/{base + 2}")

    assert children.code_of(taken) == 0


def test_one_that_is_not_open_is_left_out(base: int) -> None:
    os.close(base + 1)

    def taken() -> None:
        assert descriptors.take(3) == [base, base + 2]

    assert children.code_of(taken) == 0


def test_one_of_our_own_is_never_handed_over(base: int) -> None:
    os.set_inheritable(base + 2, False)

    def taken() -> None:
        assert descriptors.take(3) == [base, base + 1]
        assert os.path.exists(f"/proc/self/fd/{base + 2}")

    assert children.code_of(taken) == 0


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="negative"):
        descriptors.take(-1)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 0),
        ({"LISTEN_FDS": "2"}, 2),
        ({"LISTEN_FDS": "2", "LISTEN_PID": "own"}, 2),
        ({"LISTEN_FDS": "2", "LISTEN_PID": "1"}, 0),
    ],
)
def test_socket_activation_counts_when_it_is_meant_for_us(
    environment: dict[str, str], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LISTEN_FDS", "LISTEN_PID"):
        monkeypatch.delenv(name, raising=False)
        if name in environment:
            monkeypatch.setenv(name, environment[name].replace("own", str(os.getpid())))
    assert descriptors.activated() == expected


def test_a_number_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LISTEN_PID", raising=False)
    monkeypatch.setenv("LISTEN_FDS", "many")
    with pytest.raises(InvalidArgument, match="LISTEN_FDS=many"):
        descriptors.activated()
