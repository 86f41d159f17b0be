"""Directory trees of snapshots: measuring them, and removing them beside the event loop.

Units       Sizes in bytes as Docker counts a layer's: the length of what is no directory, each inode once.
"""

import logging
import os
import queue
import shutil
import threading

from sampan.storage.snapshot.contract import Usage

_log = logging.getLogger("sampan.snapshot")


def measure(path: str) -> Usage:
    """The usage of the tree below `path`; what vanishes meanwhile is not counted."""
    size_bytes, inodes, seen, folders = 0, 0, set[int](), [path]
    while folders:
        try:
            entries = os.scandir(folders.pop())
        except FileNotFoundError:
            continue
        with entries:
            for entry in entries:
                inodes += 1
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if status.st_nlink > 1:
                    if status.st_ino in seen:
                        inodes -= 1
                        continue
                    seen.add(status.st_ino)
                size_bytes += status.st_size
    return Usage(size_bytes, inodes)


class Reaper:
    """A thread that removes trees in the order given; a crash leaves the rest to the next start's sweep."""

    def __init__(self) -> None:
        self._paths: queue.Queue[str | None] = queue.Queue()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        self._thread = threading.Thread(target=self._work, name="snapshot-reaper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Remove what has been given so far and end."""
        if self._thread is not None:
            self._paths.put(None)
            self._thread.join()
            self._thread = None

    def remove(self, path: str) -> None:
        self._paths.put(path)

    def wait_idle(self) -> None:
        """Block until everything given so far is gone."""
        self._paths.join()

    def _work(self) -> None:
        while (path := self._paths.get()) is not None:
            remove_tree(path)
            self._paths.task_done()
        self._paths.task_done()


def remove_tree(path: str) -> None:
    """Remove a tree; what cannot be removed is left to a later sweep, and logged."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        _log.warning("snapshot directory %s stays for now: %s", path, error)
