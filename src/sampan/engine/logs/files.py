"""A rotated log as one sequence of bytes, read while it is being written.

Invariants  1. A file is known by its inode, which a rotation keeps: a reader holds what it reads open, so no rotation
               makes it lose or repeat an entry. Only files removed before they were opened are missed.
            2. `read` returns whole lines only; an unfinished line stays until its end is there.
            3. The successor of a file is opened only after the file was found to be no longer the current one and then
               read to its end: nothing is written to a file after it was renamed.
Units       Bytes.
Errors      OSError, but not for a file that does not exist: that is an empty log.
"""

import os

# Below the size at which malloc(3) turns to mmap(2), whose page faults cost more than the decoding.
BLOCK_BYTES = 65536
_FLAGS = os.O_RDONLY | os.O_CLOEXEC
# Rotation renames file by file: for a moment a number may be missing in the middle.
_GAP = 2


class LogFiles:
    """Reads a log's files from the oldest to the newest. Blocking; for one thread at a time."""

    def __init__(self, path: str) -> None:
        self._path = path
        # The file being read is the first; those behind it are newer.
        self._fds: list[int] = []
        self._offset_bytes = 0
        self._end_bytes = 0

    def open(self, *, tail: int | None = None) -> None:
        """Open all files and stand at the first of the last `tail` lines; None: at the beginning."""
        self._fds = _open_all(self._path)
        # Without following, a log that grows as fast as it is read must end, too.
        self._end_bytes = os.fstat(self._fds[-1]).st_size if self._fds else 0
        if tail is not None:
            self._seek_tail(tail)

    def read(self, *, follow: bool = False) -> bytes:
        """The next whole lines, about BLOCK_BYTES; empty at the end (with `follow`, for now)."""
        while True:
            if not self._fds and not (follow and self._open_current()):
                return b""
            is_bounded = len(self._fds) == 1 and not follow
            lines = self._read_lines(self._end_bytes - self._offset_bytes if is_bounded else None)
            if lines:
                return lines
            if not self._advance(follow=follow):
                return b""

    def close(self) -> None:
        while self._fds:
            os.close(self._fds.pop())

    def _open_current(self) -> bool:
        self._fds = _open_all(self._path)
        self._offset_bytes = 0
        return bool(self._fds)

    def _read_lines(self, limit_bytes: int | None) -> bytes:
        size = BLOCK_BYTES
        while True:
            wanted = size if limit_bytes is None else min(size, limit_bytes)
            block = os.pread(self._fds[0], wanted, self._offset_bytes) if wanted > 0 else b""
            end = block.rfind(b"\n") + 1
            if end:
                self._offset_bytes += end
                return block[:end] if end < len(block) else block
            if len(block) < size:
                return b""
            # One line longer than the block: entries of ours never are, those of other writers may be.
            size *= 2

    def _advance(self, *, follow: bool) -> bool:
        """Go to the next file when this one is finished; False when it may still grow, or was the last."""
        if len(self._fds) == 1:
            newer = self._newer_files() if follow else []
            if not newer:
                return False
            self._fds.extend(newer)
            # What was written between the last read and the rotation comes first: read this one once more.
            return True
        os.close(self._fds.pop(0))
        self._offset_bytes = 0
        return True

    def _newer_files(self) -> list[int]:
        """Files that came after the open one, oldest first; empty while the open one is the current one."""
        mine = os.fstat(self._fds[0])
        try:
            current = os.stat(self._path)
        except FileNotFoundError:
            return []
        if (current.st_ino, current.st_dev) == (mine.st_ino, mine.st_dev):
            return []
        return _open_all(self._path, until_inode=mine.st_ino)

    def _seek_tail(self, count: int) -> None:
        """Stand at the start of the last `count` lines of all files together."""
        wanted = count
        for index in range(len(self._fds) - 1, -1, -1):
            offset, found = _line_from_end(self._fds[index], wanted)
            wanted -= found
            if wanted <= 0 or index == 0:
                for fd in self._fds[:index]:
                    os.close(fd)
                del self._fds[:index]
                self._offset_bytes = offset
                return


def _open_all(path: str, *, until_inode: int | None = None) -> list[int]:
    """Descriptors of all files of a log, oldest first; with `until_inode`, of those newer than that one."""
    fds: list[int] = []
    seen: set[int] = set()
    number = missing = 0
    while missing < _GAP:
        try:
            fd = os.open(f"{path}.{number}" if number else path, _FLAGS)
        except FileNotFoundError:
            missing += 1
            number += 1
            continue
        missing = 0
        number += 1
        inode = os.fstat(fd).st_ino
        # Seen before: a rotation moved it on while we were looking.
        if inode in seen or inode == until_inode:
            os.close(fd)
            if inode == until_inode:
                break
            continue
        seen.add(inode)
        fds.append(fd)
    fds.reverse()
    return fds


def _line_from_end(fd: int, count: int) -> tuple[int, int]:
    """(offset of the first of the last `count` lines, how many lines there are behind it)."""
    end = _last_line_end(fd)
    if count <= 0:
        return end, 0
    found = 0
    at = end
    while at > 0:
        start = max(0, at - BLOCK_BYTES)
        block = os.pread(fd, at - start, start)
        newlines = block.count(b"\n")
        # The newline that ends the line before the first wanted one is number count + 1 from the end.
        if found + newlines > count:
            position = len(block)
            for _ in range(count + 1 - found):
                position = block.rfind(b"\n", 0, position)
            return start + position + 1, count
        found += newlines
        at = start
    return 0, found


def _last_line_end(fd: int) -> int:
    """Where the last whole line ends: what is behind it is still being written."""
    at = os.fstat(fd).st_size
    while at > 0:
        start = max(0, at - BLOCK_BYTES)
        position = os.pread(fd, at - start, start).rfind(b"\n")
        if position >= 0:
            return start + position + 1
        at = start
    return 0
