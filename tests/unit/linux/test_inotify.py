"""Changes arrive as events with the file's name."""

import errno
from pathlib import Path

import pytest

from sampan.linux.inotify import IN_CREATE, IN_MODIFY, IN_MOVED_TO, Inotify


def test_events_tell_what_happened_to_which_file(tmp_path: Path) -> None:
    notifier = Inotify()
    try:
        watch = notifier.add_watch(str(tmp_path), IN_CREATE | IN_MODIFY | IN_MOVED_TO)
        assert notifier.read() == []
        (tmp_path / "é").write_text("x")
        (tmp_path / "é").rename(tmp_path / "b")
        events = [(event.watch, event.mask, event.name) for event in notifier.read()]
        assert events == [(watch, IN_CREATE, "é"), (watch, IN_MODIFY, "é"), (watch, IN_MOVED_TO, "b")]
        notifier.remove_watch(watch)
    finally:
        notifier.close()
        notifier.close()


def test_failures_are_os_errors(tmp_path: Path) -> None:
    notifier = Inotify()
    try:
        with pytest.raises(FileNotFoundError, match="missing"):
            notifier.add_watch(str(tmp_path / "missing"), IN_CREATE)
        with pytest.raises(OSError) as caught:
            notifier.remove_watch(99)
        assert caught.value.errno == errno.EINVAL
    finally:
        notifier.close()
