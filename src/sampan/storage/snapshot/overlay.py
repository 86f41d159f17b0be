"""The overlayfs driver of the snapshot contract.

Layout      <root>/<number>/fs      what the snapshot itself changes (overlayfs's upper, later a lower, directory)
            <root>/<number>/work    overlayfs's scratch space; only active snapshots have it
            <root>/0/fs             empty, the lowest layer of what has no parent
Invariants  1. The table decides and the disk follows: a directory without a row is garbage for `sweep`.
            2. A committed snapshot's fs directory does not change.
            3. Paths in mount options are relative to <root>: 127 layers must fit the page that mount(2) takes, so
               the mounter changes into the directory that the option x-sampan.chdir names.
            4. An upper directory has its parent's mode and owner, for the merged root shows the upper one's.
Units       Sizes in bytes.
Errors      As in `contract`.
Spec        Linux Documentation/filesystems/overlayfs.rst.
"""

import os

from sampan.base.tasks import run_blocking
from sampan.linux.mount import Mount
from sampan.storage.metadata import Database
from sampan.storage.snapshot.change import Change, root_attributes
from sampan.storage.snapshot.contract import Kind, Snapshot, Usage
from sampan.storage.snapshot.index import EMPTY, SCHEMA, Entry, Index
from sampan.storage.snapshot.tree import Reaper, measure, remove_tree

# Distributions change these defaults; with any of them on, an upper directory is not a plain changeset any more.
_PLAIN = ["index=off", "redirect_dir=off", "metacopy=off"]
_DEFAULT_ROOT = (0o755, 0, 0)


class OverlaySnapshotter:
    """`open`, `await sweep()` once, use, `close`."""

    def __init__(self, root: str, database: Database) -> None:
        self.root = os.path.abspath(root)
        self._database = database
        self._index = Index()
        self._reaper = Reaper()

    def open(self) -> None:
        # Host users must not reach the setuid programs of layers.
        os.makedirs(self.root, mode=0o700, exist_ok=True)
        os.makedirs(os.path.join(self.root, EMPTY), mode=0o755, exist_ok=True)
        self._database.migrate("snapshots", SCHEMA)
        self._index.load(self._database, used_numbers=self._numbers_on_disk())
        self._reaper.open()

    def close(self) -> None:
        self._reaper.close()

    def change(self) -> Change:
        return Change(self._database, self._index, self)

    async def prepare(self, key: str, parent: str | None) -> list[Mount]:
        with self.change() as change:
            change.prepare(key, parent)
            await self._database.write(change.apply)
        return self.mounts(key)

    async def view(self, key: str, parent: str) -> list[Mount]:
        with self.change() as change:
            change.view(key, parent)
            await self._database.write(change.apply)
        return self.mounts(key)

    async def commit(self, name: str, key: str, *, onto: str | None = None) -> Usage:
        usage = await self.usage(key)
        with self.change() as change:
            change.commit(name, key, onto=onto, usage=usage)
            await self._database.write(change.apply)
        return usage

    async def remove(self, key: str) -> None:
        """The files go in the background; `wait_reaped` waits for them."""
        with self.change() as change:
            change.remove(key)
            await self._database.write(change.apply)

    def mounts(self, key: str) -> list[Mount]:
        entry = self._index.get(key)
        below = entry.parent.lower if entry.parent else EMPTY
        if entry.kind is Kind.ACTIVE:
            options = [f"lowerdir={below}", f"upperdir={entry.number}/fs", f"workdir={entry.number}/work"]
        else:
            lower = entry.lower if entry.kind is Kind.COMMITTED else below
            # overlayfs without an upper directory wants two lower ones.
            options = [f"lowerdir={lower}" if ":" in lower else f"lowerdir={lower}:{EMPTY}"]
        return [Mount("overlay", "overlay", "", [*options, *_PLAIN, f"x-sampan.chdir={self.root}"])]

    def directory(self, key: str) -> str:
        """Where the snapshot's own changes are, in overlayfs's form: to unpack into, to compare, to measure."""
        return self._path(self._index.get(key))

    def stat(self, key: str) -> Snapshot:
        return self._index.get(key).snapshot()

    def snapshots(self) -> list[Snapshot]:
        return [entry.snapshot() for key, entry in self._index.entries.items() if entry.is_settled and entry.key == key]

    async def usage(self, key: str) -> Usage:
        entry = self._index.get(key)
        if entry.usage is not None:
            return entry.usage
        return await run_blocking("disk", measure, self._path(entry))

    async def sweep(self) -> int:
        """Remove directories without a row; remake what a power cut took of active ones. Before the first change."""
        owned = {entry.number for entry in self._index.entries.values()}
        orphans = self._numbers_on_disk() - owned - {0}
        for entry in self._index.entries.values():
            if entry.kind is not Kind.COMMITTED and not os.path.isdir(self._path(entry)):
                remove_tree(os.path.dirname(self._path(entry)))
                self.make(entry)
        for number in orphans:
            await run_blocking("disk", remove_tree, os.path.join(self.root, str(number)))
        return len(orphans)

    async def wait_reaped(self) -> None:
        await run_blocking("disk", self._reaper.wait_idle)

    def make(self, entry: Entry) -> None:
        """The directories of a new snapshot (for `change`)."""
        folder = os.path.join(self.root, str(entry.number))
        os.mkdir(folder, 0o700)
        os.mkdir(self._path(entry))
        os.chmod(self._path(entry), _DEFAULT_ROOT[0])
        if entry.kind is Kind.ACTIVE:
            os.mkdir(os.path.join(folder, "work"), 0o700)
        if entry.parent is not None:
            self._copy_root(entry, entry.parent)

    def adopt(self, entry: Entry, parent: Entry) -> None:
        """A layer unpacked by itself whose tar said nothing about the root takes that of the layers below."""
        self._copy_root(entry, parent)

    def reap(self, entry: Entry) -> None:
        self._reaper.remove(os.path.join(self.root, str(entry.number)))

    def _copy_root(self, entry: Entry, parent: Entry) -> None:
        path = self._path(entry)
        wanted = root_attributes(self._path(parent))
        if wanted == _DEFAULT_ROOT or root_attributes(path) != _DEFAULT_ROOT:
            return
        os.chown(path, wanted[1], wanted[2])
        os.chmod(path, wanted[0])

    def _path(self, entry: Entry) -> str:
        return os.path.join(self.root, str(entry.number), "fs")

    def _numbers_on_disk(self) -> set[int]:
        return {int(name) for name in os.listdir(self.root) if name.isdigit()}
