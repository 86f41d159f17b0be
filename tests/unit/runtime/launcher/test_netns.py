"""The stock of namespaces, with sockets in place of namespaces: a real one needs root (tests/integration)."""

import os
import socket
from collections.abc import Iterator

import pytest

from sampan.runtime.launcher.netns import SPARES, Namespaces


class FakeNamespaces(Namespaces):
    """Makes pairs of plain descriptors and counts them."""

    made = 0

    def _make(self) -> tuple[int, socket.socket]:
        self.made += 1
        return os.open(os.devnull, os.O_RDONLY), socket.socket(socket.AF_UNIX)


@pytest.fixture
def stock() -> Iterator[FakeNamespaces]:
    before = os.listdir("/proc/self/fd")
    found = FakeNamespaces()
    yield found
    found.close()
    assert os.listdir("/proc/self/fd") == before


def drop(taken: tuple[int, socket.socket]) -> None:
    os.close(taken[0])
    taken[1].close()


def test_a_stock_is_full_at_its_number_of_spares(stock: FakeNamespaces) -> None:
    for _ in range(SPARES):
        assert not stock.is_full
        stock.stock()
    assert stock.is_full and stock.made == SPARES


def test_what_was_made_ahead_is_given_once(stock: FakeNamespaces) -> None:
    for _ in range(SPARES):
        stock.stock()
    taken = [stock.take() for _ in range(SPARES)]
    assert stock.made == SPARES and not stock.is_full
    assert len({fd for fd, _ in taken}) == SPARES
    for one in taken:
        drop(one)


def test_an_empty_stock_makes_one_on_demand(stock: FakeNamespaces) -> None:
    drop(stock.take())
    assert stock.made == 1 and not stock.is_full
