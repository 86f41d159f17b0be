"""Makes the files that a layer's entries describe, in the directory that is this process's root.

Paths are relative to the working directory, which is that root: see `apply`, the only user.

Invariants  1. The last of several entries with one name wins, except that a directory over a directory is merged.
            2. A new file takes its bytes, owner, attributes, mode and times in this order, for writing and chown(2)
               clear security.capability, and chown(2) clears the set-id bits.
            3. What a directory passes on to files made in it (set-group-id, default ACL), and its times, come last.
            4. In the common case there is no look before a leap: what is in the way, or missing, shows by an error.
Units       Sizes in bytes, times in nanoseconds.
Errors      InvalidArgument for what an entry's own fields rule out; OSError for what the kernel refuses.
Spec        image-spec v1.1, layer.md.
"""

import errno
import os
from stat import S_IFBLK, S_IFCHR, S_IFIFO, S_ISDIR, S_ISLNK, S_ISREG

from sampan.errors import InvalidArgument
from sampan.storage.layer import whiteouts
from sampan.storage.layer.paths import clean_hard_link, clean_name, parent_of
from sampan.storage.layer.tarformat import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    HARD_LINK,
    REGULAR,
    SYMLINK,
    Entry,
    quoted,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sampan.storage.layer.tarreader import TarReader

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_DEFAULT_ACL = b"system.posix_acl_default"
_IMPLIED_MODE = 0o755
_MAX_OWNER = (1 << 32) - 2  # chown(2) takes the one above for "leave it"
_MAX_TIME_NS = (1 << 63) - 1
_MAX_MAJOR, _MAX_MINOR = 0xFFF, 0xFFFFF


class Limits:
    """What one layer may bring; `max_bytes` counts what the archive stores, not holes."""

    __slots__ = ("max_bytes", "max_devices", "max_entries")

    def __init__(self, *, max_bytes: int, max_entries: int, max_devices: int) -> None:
        self.max_bytes = max_bytes
        self.max_entries = max_entries
        self.max_devices = max_devices


class Applied:
    """What a layer brought. `size_bytes` is what Docker calls a layer's size: its files, and its symlinks' targets."""

    __slots__ = ("devices", "entries", "ignored_xattrs", "size_bytes", "whiteouts")

    def __init__(self) -> None:
        self.entries = 0
        self.size_bytes = 0
        self.whiteouts = 0
        self.devices = 0
        self.ignored_xattrs = 0

    def as_dict(self) -> dict[str, int]:
        return {slot: getattr(self, slot) for slot in self.__slots__}


class Unpacking:
    """A layer being applied onto a copy of the layers below it."""

    fresh = False  # whether all that is there came from this layer

    def __init__(self, reader: "TarReader", limits: Limits) -> None:
        self.applied = Applied()
        self._reader = reader
        self._limits = limits
        self._stored_bytes = 0
        self.directories: dict[bytes, Entry] = {}
        self._brought: set[bytes] = set()
        self._makers: dict[bytes, Callable[[bytes, Entry], None]] = {
            REGULAR: self._regular,
            HARD_LINK: self._hard_link,
            SYMLINK: self._symlink,
            CHARACTER: self._node,
            BLOCK: self._node,
            DIRECTORY: self._directory,
            FIFO: self._node,
        }

    def add(self, entry: Entry) -> None:
        applied = self.applied
        applied.entries += 1
        self._stored_bytes += entry.stored_bytes
        if applied.entries > self._limits.max_entries:
            raise InvalidArgument(f"layer has more than {self._limits.max_entries} entries")
        if self._stored_bytes > self._limits.max_bytes:
            raise InvalidArgument(
                f"layer holds more than {self._limits.max_bytes} bytes: at entry {quoted(entry.name)}"
            )
        path = clean_name(entry.name)
        if not path:
            return  # the root is the snapshot's own; Docker leaves it alone as well
        if whiteouts.PREFIX in path:
            base = path.rpartition(b"/")[2]
            if base.startswith(whiteouts.PREFIX):
                self._whiteout(parent_of(path), base)
                return
        maker = self._makers.get(entry.kind)
        if maker is None:
            raise InvalidArgument(f"archive entry {quoted(entry.name)}: unhandled tar header type {entry.kind[0]}")
        if not (0 <= entry.uid <= _MAX_OWNER and 0 <= entry.gid <= _MAX_OWNER):
            raise InvalidArgument(f"archive entry {quoted(entry.name)}: invalid owner {entry.uid}:{entry.gid}")
        maker(path, entry)
        if not self.fresh:
            self._remember(path)

    # One maker for each kind

    def _regular(self, path: bytes, entry: Entry) -> None:
        try:
            file_fd = os.open(path, _CREATE, entry.mode & 0o777)
        except OSError as error:
            self._make_way(path, error)
            file_fd = os.open(path, _CREATE, entry.mode & 0o777)
        try:
            if entry.sparse_map is None:
                self._reader.copy_to(file_fd)
            else:
                self._reader.copy_sparse_to(file_fd, entry)
            if entry.uid or entry.gid or not self.fresh:
                os.fchown(file_fd, entry.uid, entry.gid)
            if entry.xattrs:
                self._set_xattrs(file_fd, entry)
            if entry.mode & 0o7000 or not self.fresh:
                os.fchmod(file_fd, entry.mode & 0o7777)
            time_ns = _bounded(entry.mtime_ns)
            os.utime(file_fd, ns=(time_ns, time_ns))
        finally:
            os.close(file_fd)
        self.applied.size_bytes += entry.size

    def _directory(self, path: bytes, entry: Entry) -> None:
        try:
            os.mkdir(path, entry.mode & 0o1777)
        except OSError as error:
            if not (error.errno == errno.EEXIST and S_ISDIR(os.lstat(path).st_mode)):
                was_whiteout = self._make_way(path, error)
                os.mkdir(path, entry.mode & 0o1777)
                if was_whiteout:
                    self._set_opaque(path)
            os.chmod(path, entry.mode & 0o1777)
            os.chown(path, entry.uid, entry.gid)
        else:
            if entry.uid or entry.gid or not self.fresh:
                os.chown(path, entry.uid, entry.gid)
        if entry.xattrs:
            self._set_xattrs(path, entry)
        self.directories[path] = entry

    def _symlink(self, path: bytes, entry: Entry) -> None:
        try:
            os.symlink(entry.linkname, path)
        except OSError as error:
            self._make_way(path, error)
            os.symlink(entry.linkname, path)
        if entry.uid or entry.gid or not self.fresh:
            os.lchown(path, entry.uid, entry.gid)
        if entry.xattrs:
            self._set_xattrs(path, entry)
        time_ns = _bounded(entry.mtime_ns)
        os.utime(path, ns=(time_ns, time_ns), follow_symlinks=False)
        self.applied.size_bytes += len(entry.linkname)

    def _hard_link(self, path: bytes, entry: Entry) -> None:
        """Owner, mode and times are those of the file it names: only the first entry of a file describes it."""
        target = clean_hard_link(entry.linkname)
        if target == path:
            return
        try:
            os.link(target, path, follow_symlinks=False)
        except OSError as error:
            os.lstat(target)  # a missing target must not cost what stands at the path
            self._make_way(path, error)
            os.link(target, path, follow_symlinks=False)

    def _node(self, path: bytes, entry: Entry) -> None:
        mode = entry.mode & 0o7777
        device = 0
        if entry.kind == FIFO:
            mode |= S_IFIFO
        else:
            if not (0 <= entry.device_major <= _MAX_MAJOR and 0 <= entry.device_minor <= _MAX_MINOR):
                raise InvalidArgument(f"archive entry {quoted(entry.name)}: invalid device number")
            mode |= S_IFCHR if entry.kind == CHARACTER else S_IFBLK
            device = os.makedev(entry.device_major, entry.device_minor)
            self.applied.devices += 1
            if self.applied.devices > self._limits.max_devices:
                raise InvalidArgument(f"layer has more than {self._limits.max_devices} device nodes")
        try:
            os.mknod(path, mode, device)
        except OSError as error:
            self._make_way(path, error)
            os.mknod(path, mode, device)
        os.lchown(path, entry.uid, entry.gid)
        if entry.xattrs:
            self._set_xattrs(path, entry)
        os.chmod(path, entry.mode & 0o7777)
        time_ns = _bounded(entry.mtime_ns)
        os.utime(path, ns=(time_ns, time_ns))

    # Attributes

    def _set_xattrs(self, target: bytes | int, entry: Entry) -> None:
        for name, value in (entry.xattrs or {}).items():
            if name.startswith(whiteouts.OVERLAY_XATTR_PREFIXES):
                self.applied.ignored_xattrs += 1
            elif name != _DEFAULT_ACL:
                self._set_xattr(target, name, value)

    def _set_xattr(self, target: bytes | int, name: bytes, value: bytes) -> None:
        try:
            if isinstance(target, int):
                os.setxattr(target, name, value)
            else:
                os.setxattr(target, name, value, follow_symlinks=False)
        except OSError as error:
            # As Docker: what this file system or this kind of file cannot hold is left out, a capability never.
            if error.errno != errno.ENOTSUP and (error.errno != errno.EPERM or name == b"security.capability"):
                raise
            self.applied.ignored_xattrs += 1

    def finish_directory(self, path: bytes, entry: Entry) -> None:
        if entry.mode & 0o6000:
            os.chmod(path, entry.mode & 0o7777)
        if entry.xattrs and _DEFAULT_ACL in entry.xattrs:
            self._set_xattr(path, _DEFAULT_ACL, entry.xattrs[_DEFAULT_ACL])
        time_ns = _bounded(entry.mtime_ns)
        os.utime(path, ns=(time_ns, time_ns), follow_symlinks=False)

    # Making way

    def _make_way(self, path: bytes, error: OSError) -> bool:
        """Removes what stands at `path`, or makes its parents, as `error` asks; whether it removed a whiteout."""
        if error.errno == errno.EEXIST:
            return self._remove(path)
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise error
        self._make_parents(path)
        return False

    def _make_parents(self, path: bytes) -> None:
        missing: list[bytes] = []
        parent = parent_of(path)
        while parent:
            try:
                os.mkdir(parent, _IMPLIED_MODE)
                break
            except FileExistsError:
                self._replace_whiteout(parent)
                break
            except (FileNotFoundError, NotADirectoryError):
                missing.append(parent)
                parent = parent_of(parent)
        for directory in reversed(missing):
            os.mkdir(directory, _IMPLIED_MODE)

    def _replace_whiteout(self, path: bytes) -> None:
        """Turns a whiteout, if one stands there, into a directory that hides as much."""
        if self.fresh and whiteouts.is_whiteout(os.lstat(path)):
            os.unlink(path)
            os.mkdir(path, _IMPLIED_MODE)
            self._set_opaque(path)

    def _remove(self, path: bytes) -> bool:
        status = os.lstat(path)
        if not S_ISDIR(status.st_mode):
            self._forget_size(status)
            os.unlink(path)
            return self.fresh and whiteouts.is_whiteout(status)
        below = path + b"/"
        for name in [name for name in self.directories if name == path or name.startswith(below)]:
            del self.directories[name]
        self._remove_tree(path)
        return False

    def _remove_tree(self, path: bytes) -> None:
        directories = [path]
        for directory in directories:  # grows while it is read: parents stand before their children
            with os.scandir(directory) as children:
                for child in children:
                    if child.is_dir(follow_symlinks=False):
                        directories.append(child.path)
                    else:
                        self._forget_size(child.stat(follow_symlinks=False))
                        os.unlink(child.path)
        for directory in reversed(directories):
            os.rmdir(directory)

    def _forget_size(self, status: os.stat_result) -> None:
        counted = S_ISREG(status.st_mode) or S_ISLNK(status.st_mode)
        if self.fresh and counted and status.st_nlink == 1:
            self.applied.size_bytes -= status.st_size

    # Whiteouts

    def _whiteout(self, parent: bytes, base: bytes) -> None:
        if base.startswith(whiteouts.META_PREFIX) and base != whiteouts.OPAQUE:
            return
        self.applied.whiteouts += 1
        if base == whiteouts.OPAQUE:
            self._hide_below(parent)
        else:
            name = whiteouts.hidden_name(base)
            self._hide(parent + b"/" + name if parent else name)

    def _hide(self, path: bytes) -> None:
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return
        if path not in self._brought:
            self._remove(path)
        elif S_ISDIR(status.st_mode):
            self._hide_below(path)

    def _hide_below(self, directory: bytes) -> None:
        try:
            names = os.listdir(directory or b".")
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            self._hide(directory + b"/" + name if directory else name)

    def _remember(self, path: bytes) -> None:
        while path and path not in self._brought:
            self._brought.add(path)
            path = parent_of(path)

    def _set_opaque(self, path: bytes) -> None:
        """Hides what lower layers have in a directory; in a copy there is nothing left to hide."""


class OverlayUnpacking(Unpacking):
    """A layer being applied to an overlay's own upper directory, where all there is came with this layer."""

    fresh = True

    def _hide(self, path: bytes) -> None:
        try:
            os.mknod(path, S_IFCHR, 0)
        except FileExistsError:
            if S_ISDIR(os.lstat(path).st_mode):
                self._set_opaque(path)
        except OSError as error:
            self._make_way(path, error)
            os.mknod(path, S_IFCHR, 0)

    def _hide_below(self, directory: bytes) -> None:
        if not directory:
            return  # what lies below an image's lowest directories is hidden by name
        try:
            os.mkdir(directory, _IMPLIED_MODE)
        except FileExistsError:
            self._replace_whiteout(directory)
        except OSError as error:
            self._make_way(directory, error)
            os.mkdir(directory, _IMPLIED_MODE)
        self._set_opaque(directory)

    def _set_opaque(self, path: bytes) -> None:
        # The slash makes the kernel refuse what is no directory, on which the mark would mean something else.
        os.setxattr(path + b"/", whiteouts.OPAQUE_XATTR, b"y")


def _bounded(time_ns: int) -> int:
    """Docker's bounds: what is before 1970 or after 2262 becomes 1970."""
    return time_ns if 0 <= time_ns <= _MAX_TIME_NS else 0
