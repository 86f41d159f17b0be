"""Images unpacked by the real helper and mounted by the real kernel."""

import asyncio
import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan import errors
from sampan.image.store import ImageStore
from sampan.linux import mount as mounting
from sampan.storage.content import ContentStore
from sampan.storage.metadata import Database
from sampan.storage.snapshot.overlay import OverlaySnapshotter
from support.image_world import docker_archive, said, stream_of, tar_of

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_overlay]

HELPER = "import sys; from sampan.storage.layer.helper import unpack; unpack([0], root=sys.argv[1], options={})"


async def unpack(root_path: str, tar_fd: int, *, options: dict[str, Any]) -> dict[str, Any]:
    """What the launcher does, by a process of its own."""
    helper = await asyncio.create_subprocess_exec(sys.executable, "-c", HELPER, root_path, stdin=tar_fd)
    if await helper.wait():
        raise errors.InvalidArgument("unpack failed")
    return {}


class Real:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(str(folder / "meta.db"))
        self.database.open()
        self.content = ContentStore(str(folder / "content"))
        self.snapshots = OverlaySnapshotter(str(folder / "snapshots"), self.database)
        self.snapshots.open()

    def run(self, use: Any) -> Any:
        async def main() -> Any:
            store = ImageStore(self.content, self.snapshots, self.database, unpack=unpack)
            store.open()
            await self.snapshots.sweep()
            await store.sweep()
            return await use(store)

        return asyncio.run(main())

    def listing(self, key: str) -> dict[str, str]:
        """The files of a mounted snapshot; the mount lives in a namespace of its own and goes with it."""
        (mount,) = self.snapshots.mounts(key)
        parsed = mounting.parse_options(mount.options)
        target = self.folder / "mnt"
        target.mkdir(exist_ok=True)
        script = 'cd "$1" && mount -t overlay -o "$2" overlay "$3" && cd "$3" && find . -type f -exec head -v -n 9 {} +'
        done = subprocess.run(
            ["unshare", "-m", "sh", "-ec", script, "sh", self.snapshots.root, parsed.data, str(target)],
            capture_output=True,
            text=True,
            check=True,
        )
        chunks = [chunk.partition(" <==\n") for chunk in done.stdout.split("==> ")[1:]]
        return {name.removeprefix("./"): text.strip() for name, _, text in chunks}


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Real]:
    found = Real(tmp_path)
    yield found
    found.snapshots.close()
    found.database.close()


def test_deletions_of_a_layer_hide_what_is_below_it(real: Real) -> None:
    layers = [
        tar_of({"gone": b"1", "kept": b"1", "d/old": b"1", "changed": b"1"}),
        tar_of({".wh.gone": b"", "d/.wh..wh..opq": b"", "d/new": b"2", "changed": b"2"}),
        tar_of({"top": b"3"}),
    ]

    async def use(store: ImageStore) -> None:
        await said(store.load(stream_of(gzip.compress(tar_of(docker_archive(layers, ["a:1"], compress=True))))))
        image = store.resolve("a:1")
        await store.acquire_rootfs(image.id, "container1")

    real.run(use)
    assert real.listing("container1") == {"kept": "1", "d/new": "2", "changed": "2", "top": "3"}


def test_a_hostile_layer_leaves_nothing(real: Real) -> None:
    async def use(store: ImageStore) -> None:
        with pytest.raises(errors.Error):
            await said(store.load(stream_of(tar_of(docker_archive([tar_of({"../../escape": b"x"})], ["a:1"])))))
        assert store.list() == [] and real.content.list() == [] and real.snapshots.snapshots() == []
        await real.snapshots.wait_reaped()

    real.run(use)
    assert os.listdir(real.snapshots.root) == ["0"]
    assert not (real.folder / "escape").exists()
