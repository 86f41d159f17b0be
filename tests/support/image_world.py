"""A whole image store in a directory, its layers unpacked by the standard library's tarfile: no root, no launcher."""

import asyncio
import gzip
import io
import json
import os
import tarfile
from collections.abc import AsyncIterator, Awaitable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from sampan import errors
from sampan.image.store import Image, ImageEvent, ImageStore
from sampan.oci.digest import digest_of
from sampan.oci.reference import parse_reference
from sampan.storage.content import ContentStore
from sampan.storage.metadata import Database
from sampan.storage.snapshot.overlay import OverlaySnapshotter

T = TypeVar("T")


def tar_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def files_of(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]


async def stream_of(content: bytes, size: int = 5000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def unpack(root_path: str, tar_fd: int, *, options: dict[str, Any]) -> dict[str, Any]:
    """What the launcher does, in a thread."""
    fd = os.dup(tar_fd)
    await asyncio.to_thread(_unpack, root_path, fd)
    return {}


def _unpack(root_path: str, fd: int) -> None:
    with open(fd, "rb") as source:
        try:
            with tarfile.open(fileobj=source, mode="r|") as tar:
                tar.extractall(root_path)
        except (tarfile.TarError, EOFError) as error:
            raise errors.InvalidArgument(f"unpack: {error}") from error


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[ImageEvent] = []
        self.open()

    def open(self) -> None:
        self.database = Database(str(self.folder / "meta.db"))
        self.database.open()
        self.content = ContentStore(str(self.folder / "content"))
        self.snapshots = OverlaySnapshotter(str(self.folder / "snapshots"), self.database)
        self.snapshots.open()

    def close(self) -> None:
        self.snapshots.close()
        self.database.close()

    def reopen(self) -> None:
        self.close()
        self.open()

    async def store(self) -> ImageStore:
        """A store of the running event loop, swept as at a daemon's start."""
        store = ImageStore(self.content, self.snapshots, self.database, unpack=unpack, events=self.events.append)
        store.open()
        await self.snapshots.sweep()
        await store.sweep()
        return store

    def run(self, *, use: Any) -> Any:
        """Run the async function `use(store)`."""

        async def main() -> Any:
            return await use(await self.store())

        return asyncio.run(main())

    def blobs(self) -> set[str]:
        return {blob.digest for blob in self.content.list()}

    def keys(self) -> set[str]:
        return {snapshot.key for snapshot in self.snapshots.snapshots()}

    def check_invariants(self) -> None:
        """Nothing stored that no image needs, and nothing missing that one does."""

        async def check(store: ImageStore) -> None:
            needed: set[str] = set()
            chains: set[str] = set()
            for image in store.list(all=True):
                needed |= {image.id, image.manifest_digest, image.target_digest}
                needed |= {layer.digest for layer in image.manifest.layers}
                for number in range(len(image.diff_ids)):
                    chains.add(_chain(image.diff_ids[: number + 1]))
                assert len(image.layer_sizes) == len(image.diff_ids)
            assert self.blobs() == needed
            assert {key for key in self.keys() if not key.startswith("container")} == chains
            for digest in needed:
                self.content.read(digest)
            assert os.listdir(self.folder / "content" / "ingest") == []
            await self.snapshots.wait_reaped()
            numbers = {name for name in os.listdir(self.folder / "snapshots") if name != "0"}
            assert len(numbers) == len(self.keys())

        self.run(use=check)


def _chain(diff_ids: list[str]) -> str:
    chain = diff_ids[0]
    for diff_id in diff_ids[1:]:
        chain = digest_of(f"{chain} {diff_id}".encode())
    return chain


async def make(store: ImageStore, name: str, files: dict[str, bytes] | None = None, **more: Any) -> Image:
    """Import an image."""
    reference = parse_reference(name) if name else None
    return await store.import_(stream_of(tar_of(files or {"f": name.encode()})), reference=reference, **more)


async def collect(pieces: AsyncIterator[T]) -> list[T]:
    return [piece async for piece in pieces]


async def said(progress: AsyncIterator[dict[str, Any]]) -> str:
    return "".join([message.get("stream", "") async for message in progress])


def config_of(layers: Iterable[bytes], **more: Any) -> bytes:
    diff_ids = [digest_of(layer) for layer in layers]
    return json.dumps(
        {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        | more
    ).encode()


def docker_archive(
    layers: list[bytes], tags: list[str], *, compress: bool = False, config: bytes | None = None
) -> dict[str, bytes]:
    """The files of a Docker archive of one image, as `docker save` wrote them until 25."""
    config = config or config_of(layers)
    files = {f"{number}/layer.tar": gzip.compress(layer) if compress else layer for number, layer in enumerate(layers)}
    entry = {"Config": "config.json", "RepoTags": tags, "Layers": list(files)}
    return files | {"config.json": config, "manifest.json": json.dumps([entry]).encode()}


def oci_layout(layers: list[bytes], name: str = "", **more: Any) -> dict[str, bytes]:
    """The files of an OCI layout of one image with gzip layers."""
    compressed = [gzip.compress(layer, mtime=0) for layer in layers]
    config = config_of(layers, **more)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer) for layer in compressed],
            "annotations": {"kept": "as it is"},
        },
        indent=1,
    ).encode()
    return layout_of([manifest], [config, *compressed], name)


def layout_of(targets: list[bytes], blobs: list[bytes], name: str = "") -> dict[str, bytes]:
    annotations = {"annotations": {"io.containerd.image.name": name}} if name else {}
    kind = "application/vnd.oci.image.manifest.v1+json"
    entries = []
    for target in targets:
        is_index = b'"manifests"' in target
        entries.append(descriptor(kind.replace("manifest", "index") if is_index else kind, target) | annotations)
    index = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    files = {"index.json": index, "oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    for blob in [*targets, *blobs]:
        files["blobs/" + digest_of(blob).replace(":", "/")] = blob
    return files


def descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def run(awaitable: Awaitable[T]) -> T:
    async def main() -> T:
        return await awaitable

    return asyncio.run(main())


LAYERS = [tar_of({"x": b"1", "d/y": b"22"}), tar_of({"z": b"333"})]


def load(world: World, archive: bytes) -> str:
    """Load an archive; what was said about it."""

    async def use(store: ImageStore) -> str:
        return await said(store.load(stream_of(archive)))

    text: str = world.run(use=use)
    return text
