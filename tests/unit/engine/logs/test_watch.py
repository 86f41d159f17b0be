"""Readers learn of every change in their directory, and only they."""

import asyncio
from pathlib import Path

import pytest

from sampan.engine.logs import watch
from sampan.engine.logs.watch import DirectoryWatcher, directory_of
from sampan.linux.inotify import Inotify


def test_two_readers_of_one_directory_share_a_watch_and_others_sleep_on(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    async def main() -> None:
        watcher = DirectoryWatcher()
        with watcher.watch(str(tmp_path / "a")) as one, watcher.watch(str(tmp_path / "b")) as other:
            with watcher.watch(str(tmp_path / "a")) as two:
                (tmp_path / "a" / "file").write_text("x")
                async with asyncio.timeout(30):
                    await one.wait()
                    await two.wait()
            one.clear()
            (tmp_path / "a" / "file").write_text("y")
            async with asyncio.timeout(30):
                await one.wait()
            assert not other.is_set()
        watcher.close()
        watcher.close()

    asyncio.run(main())


def test_a_directory_that_disappears_is_no_error(tmp_path: Path) -> None:
    async def main() -> None:
        watcher = DirectoryWatcher()
        (tmp_path / "gone").mkdir()
        with watcher.watch(str(tmp_path / "gone")):
            (tmp_path / "gone").rmdir()
        watcher.close()

    asyncio.run(main())


def test_without_a_watch_to_have_the_reader_looks_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Inotify, path: str, mask: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Inotify, "add_watch", full)
    monkeypatch.setattr(watch, "_POLL_S", 0.001)

    async def main() -> None:
        watcher = DirectoryWatcher()
        with watcher.watch(str(tmp_path)) as changed:
            async with asyncio.timeout(30):
                await changed.wait()
        watcher.close()

    asyncio.run(main())


def test_the_directory_of_a_bare_name_is_the_current_one() -> None:
    assert directory_of("log") == "."
    assert directory_of("/a/b") == "/a"
