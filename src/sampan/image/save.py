"""`docker save`: one tar that is both an OCI layout and a Docker archive.

Layout      blobs/<algorithm>/<hex>   index.json   manifest.json   oci-layout   repositories
Invariants  1. The same images give the same bytes: members are sorted, and dates are of 1970.
            2. Blobs are as stored: nothing is re-serialised or compressed anew.
Errors      NotFound in Docker's words, before the first byte.
Spec        image-spec v1.1, image-layout.md; moby image/tarexport/save.go.
"""

import tarfile
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from sampan import errors
from sampan.base.tasks import run_blocking
from sampan.image.collaborators import Images
from sampan.image.graph import closure
from sampan.image.record import Image
from sampan.oci import descriptor as d
from sampan.oci.digest import algorithm_of, hex_of
from sampan.oci.manifest import Index, parse_manifest, references_of
from sampan.oci.reference import Reference, parse_reference

_CHUNK_BYTES = 1 << 20
_BLOCK_BYTES = 512
_LAYOUT = b'{"imageLayoutVersion": "1.0.0"}'

Chosen = dict[str, list[Reference]]


def choose(deps: Images, refs: Sequence[str]) -> Chosen:
    """The images that `refs` name, each with the names to keep; a repository without a tag means all of its tags."""
    chosen: Chosen = {}
    for unsafe_ref in refs:
        for image_id, name in _named(deps, unsafe_ref):
            names = chosen.setdefault(image_id, [])
            if name is not None and name not in names:
                names.append(name)
    return chosen


async def archive_of(deps: Images, chosen: Chosen) -> AsyncIterator[bytes]:
    """The archive, piece by piece; what is in it stays in the store meanwhile."""
    async with deps.collector.operation():
        images = [deps.catalog.get(image_id) for image_id in chosen]
        roots = await run_blocking("disk", lambda: {image.id: _root(deps, image) for image in images})
        blobs = await run_blocking("disk", closure, deps.content, set(roots.values()))
        for algorithm in ["", *sorted({algorithm_of(digest) for digest in blobs})]:
            yield _header(f"blobs/{algorithm}/" if algorithm else "blobs/", 0, is_directory=True)
        for digest in sorted(blobs):
            async for piece in _blob(deps, digest):
                yield piece
        for name, content in _documents(deps, images, chosen, roots):
            yield _header(name, len(content)) + content + bytes(-len(content) % _BLOCK_BYTES)
        yield bytes(2 * _BLOCK_BYTES)
        for image in images:
            deps.notify("save", image)


def _named(deps: Images, unsafe_ref: str) -> list[tuple[str, Reference | None]]:
    image = None
    try:
        reference = parse_reference(unsafe_ref)
    except errors.InvalidArgument:  # 64 digits: an id, which `resolve` knows
        reference = None
    if reference is not None and reference.is_name_only:
        rows = deps.catalog.named(reference.name)
        if rows:
            return [(row.image, parse_reference(row.name)) for row in rows]
    image = deps.catalog.resolve(unsafe_ref)
    if reference is not None and reference.tag and deps.catalog.find(reference) == image.id:
        return [(image.id, reference)]
    return [(image.id, None)]


def _root(deps: Images, image: Image) -> str:
    """The target where all of it is stored, otherwise only the manifest."""
    if image.target_digest != image.manifest_digest and _is_whole(deps, image.target_digest):
        return image.target_digest
    return image.manifest_digest


def _is_whole(deps: Images, digest: str) -> bool:
    parsed = parse_manifest(deps.content.read(digest))
    present = all(deps.content.has(found.digest) for found in references_of(parsed))
    if not present or not isinstance(parsed, Index):
        return present
    return all(_is_whole(deps, found.digest) for found in parsed.manifests)


async def _blob(deps: Images, digest: str) -> AsyncIterator[bytes]:
    size = deps.content.info(digest).size_bytes
    yield _header(f"blobs/{algorithm_of(digest)}/{hex_of(digest)}", size)
    with deps.content.open(digest) as file:
        while piece := await run_blocking("disk", file.read, _CHUNK_BYTES):
            yield piece
    if size % _BLOCK_BYTES:
        yield bytes(-size % _BLOCK_BYTES)


def _documents(deps: Images, images: list[Image], chosen: Chosen, roots: dict[str, str]) -> list[tuple[str, bytes]]:
    """The members that say what the blobs are, in the order of their names."""
    index: list[dict[str, Any]] = []
    docker: list[dict[str, Any]] = []
    repositories: dict[str, dict[str, str]] = {}
    for image in images:
        names = chosen[image.id]
        index += _index_entries(deps, roots[image.id], names)
        docker.append(_docker_entry(image, names, chosen))
        for name in names:
            top = hex_of(image.manifest.layers[-1].digest) if image.manifest.layers else hex_of(image.id)
            repositories.setdefault(name.familiar_name, {})[name.tag] = top
    documents = [
        ("index.json", _json({"schemaVersion": 2, "mediaType": d.OCI_INDEX, "manifests": index})),
        ("manifest.json", _json(docker) + b"\n"),
        ("oci-layout", _LAYOUT),
    ]
    if repositories:
        sorted_repositories = {name: dict(sorted(tags.items())) for name, tags in sorted(repositories.items())}
        documents.append(("repositories", _json(sorted_repositories) + b"\n"))
    return documents


def _index_entries(deps: Images, root: str, names: list[Reference]) -> list[dict[str, Any]]:
    content = deps.content.read(root)
    parsed = parse_manifest(content)
    fallback = d.OCI_INDEX if isinstance(parsed, Index) else d.OCI_MANIFEST
    entry: dict[str, Any] = {"mediaType": parsed.media_type or fallback, "digest": root, "size": len(content)}
    return [
        entry | {"annotations": {"io.containerd.image.name": str(name), "org.opencontainers.image.ref.name": name.tag}}
        for name in names
    ] or [entry]


def _docker_entry(image: Image, names: list[Reference], chosen: Chosen) -> dict[str, Any]:
    layers = image.manifest.layers
    entry: dict[str, Any] = {
        "Config": _path(image.id),
        "RepoTags": [name.familiar for name in names] or None,
        "Layers": [_path(layer.digest) for layer in layers],
    }
    if image.parent in chosen:
        entry["Parent"] = image.parent
    entry["LayerSources"] = {
        diff_id: {"mediaType": layer.media_type, "size": layer.size, "digest": layer.digest}
        for diff_id, layer in sorted(zip(image.diff_ids, layers, strict=True), key=lambda pair: pair[0])
    }
    return entry


def _path(digest: str) -> str:
    return f"blobs/{algorithm_of(digest)}/{hex_of(digest)}"


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


def _header(name: str, size: int, *, is_directory: bool = False) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o755 if is_directory else 0o644
    member.type = tarfile.DIRTYPE if is_directory else tarfile.REGTYPE
    # GNU format: a layer may be larger than the 8 GiB that plain ustar can say.
    return member.tobuf(tarfile.GNU_FORMAT)
