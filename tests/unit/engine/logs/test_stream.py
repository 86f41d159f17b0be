"""A log stream delivers what was there, what comes, and ends with the container."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from sampan.engine.logs import DirectoryWatcher, LogsRequest, LogStream
from sampan.logs.writer import LogFile


async def collect(stream: LogStream) -> bytes:
    return b"".join([chunk async for chunk in stream])


def test_without_follow_the_stream_ends_at_the_end(tmp_path: Path) -> None:
    path = str(tmp_path / "c-json.log")
    log = LogFile(path)
    log.write("stdout", b"".join(b"%d\n" % n for n in range(20000)), 1)

    async def main() -> None:
        watcher = DirectoryWatcher()
        everything = await collect(LogStream(path, LogsRequest(), tty=True, watcher=watcher))
        assert everything == b"".join(b"%d\n" % n for n in range(20000))
        assert await collect(LogStream(path, LogsRequest(tail=2), tty=True, watcher=watcher)) == b"19998\n19999\n"
        assert await collect(LogStream(path, LogsRequest(tail=0), tty=True, watcher=watcher)) == b""

    asyncio.run(main())


def test_following_delivers_each_line_and_ends_with_the_container(tmp_path: Path) -> None:
    path = str(tmp_path / "c-json.log")
    log = LogFile(path, 500, 3)
    log.write("stdout", b"before\n", 1)

    async def main() -> None:
        watcher = DirectoryWatcher()
        stopped = asyncio.Event()
        stream = LogStream(path, LogsRequest(follow=True), tty=True, watcher=watcher, until_stopped=stopped.wait)
        chunks = aiter(stream)
        assert await anext(chunks) == b"before\n"
        for n in range(50):
            log.write("stdout", b"line %d\n" % n, 1)
            assert await anext(chunks) == b"line %d\n" % n
        log.write("stdout", b"last", 1)
        log.close(1)
        stopped.set()
        assert b"".join([chunk async for chunk in chunks]) == b"last"
        watcher.close()

    asyncio.run(main())


def test_a_follower_wakes_up_while_it_waits(tmp_path: Path) -> None:
    path = str(tmp_path / "c-json.log")
    log = LogFile(path)

    async def main() -> None:
        watcher = DirectoryWatcher()
        never = asyncio.Event()
        with watcher.watch(str(tmp_path)):
            before = set(os.listdir("/proc/self/fd"))
        stream = LogStream(path, LogsRequest(follow=True), tty=True, watcher=watcher, until_stopped=never.wait)
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            chunks = aiter(stream)
            first = group.create_task(_first(chunks))
            asyncio.get_running_loop().call_later(0.02, log.write, "stdout", b"hello\n", 1)
        assert first.result() == b"hello\n"
        await chunks.aclose()
        assert set(os.listdir("/proc/self/fd")) == before
        watcher.close()

    asyncio.run(main())
    log.close(1)


async def _first(chunks: AsyncGenerator[bytes, None]) -> bytes:
    return await anext(chunks)


def test_following_ends_when_until_has_passed(tmp_path: Path) -> None:
    path = str(tmp_path / "c-json.log")
    log = LogFile(path)
    log.write("stdout", b"now\n", time.time_ns())

    async def main() -> bytes:
        watcher = DirectoryWatcher()
        never = asyncio.Event()
        request = LogsRequest(follow=True, until_ns=time.time_ns() + 50_000_000)
        try:
            async with asyncio.timeout(30):
                return await collect(LogStream(path, request, tty=True, watcher=watcher, until_stopped=never.wait))
        finally:
            watcher.close()

    assert asyncio.run(main()) == b"now\n"
    log.close(1)
