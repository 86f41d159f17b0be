import asyncio
from collections.abc import AsyncIterator

import pytest

from sampan import errors
from sampan.image.feed import LIMIT_BYTES, Feed, read_in_thread


async def pieces(count: int, size: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield bytes([number % 256]) * size


def read_all(feed: Feed) -> bytes:
    found = b""
    while piece := feed.read(1000):
        assert len(piece) <= 1000
        found += piece
    return found


def test_a_thread_reads_what_the_loop_receives() -> None:
    found = asyncio.run(read_in_thread(pieces(300, 333), "disk", read_all))
    assert found == b"".join(bytes([number % 256]) * 333 for number in range(300))


def test_no_more_than_the_limit_waits() -> None:
    most = 0

    def read_slowly(feed: Feed) -> int:
        nonlocal most
        total = 0
        while piece := feed.read(1 << 16):
            total += len(piece)
            most = max(most, feed.total_bytes - total)
        return total

    total = asyncio.run(read_in_thread(pieces(40, 1 << 20), "disk", read_slowly))
    assert total == 40 << 20
    assert most <= LIMIT_BYTES + (1 << 20)


def test_a_reader_that_stops_early_ends_the_stream() -> None:
    assert asyncio.run(read_in_thread(pieces(100, 1 << 20), "disk", lambda feed: feed.read(3))) == b"\0\0\0"


def test_what_the_reader_raises_comes_out() -> None:
    def fails(feed: Feed) -> None:
        feed.read(1)
        raise errors.Conflict("no")

    with pytest.raises(errors.Conflict, match="no"):
        asyncio.run(read_in_thread(pieces(100, 1 << 20), "disk", fails))


def test_a_broken_stream_is_an_unexpected_end() -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"x"
        raise ConnectionResetError("gone")

    with pytest.raises(errors.InvalidArgument, match="unexpected EOF: gone"):
        asyncio.run(read_in_thread(breaking(), "disk", read_all))


def test_a_cancelled_reader_lets_its_thread_go() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    async def main() -> None:
        async with asyncio.timeout(30):
            async with asyncio.TaskGroup() as group:
                task = group.create_task(read_in_thread(endless(), "disk", read_all))
                await asyncio.sleep(0)
                task.cancel()

    asyncio.run(main())
