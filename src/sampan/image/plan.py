"""What an archive holds, as values: which images, of which blobs, under which names. Reads blobs, changes nothing.

Forms       OCI layout          index.json; names in the annotations io.containerd.image.name or ...ref.name
            Docker archive      manifest.json; also gives the names of an OCI layout without them
            Docker's old form   repositories, and one directory per layer with json and layer.tar
Invariants  Manifests and configurations keep their bytes. Only forms that have no manifest get a new one.
Errors      InvalidArgument, in Docker's words where it has some.
Spec        image-spec v1.1, image-layout.md; moby image/tarexport/load.go for what Docker accepts.
"""

from dataclasses import dataclass, replace

import msgspec

from sampan import errors
from sampan.image.archive import Archive
from sampan.oci import descriptor as d
from sampan.oci.descriptor import Descriptor, Platform
from sampan.oci.image import ImageConfig, parse_config
from sampan.oci.manifest import Index, Manifest, encode_manifest, parse_manifest
from sampan.oci.platform import best, host_platform, images_only, matches
from sampan.oci.reference import Reference, parse_reference
from sampan.storage.content import ContentStore
from sampan.storage.layer.compression import DETECT_BYTES, Compression, detect

_CONTAINERD_NAME = "io.containerd.image.name"
_REF_NAME = "org.opencontainers.image.ref.name"
_NESTING_LIMIT = 4

# The compressions that a layer can be stored with: others have no media type.
MEDIA_SUFFIX = {Compression.NONE: "", Compression.GZIP: "+gzip", Compression.ZSTD: "+zstd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedImage:
    """An image whose blobs are stored, ready to be unpacked and named."""

    id: str
    config: ImageConfig
    manifest: Manifest
    manifest_digest: str
    target_digest: str
    names: tuple[Reference, ...] = ()
    parent: str | None = None


class _DockerEntry(msgspec.Struct, rename="pascal"):
    config: str = ""
    repo_tags: list[str] | None = None
    layers: list[str] | None = None
    parent: str = ""


def plan(archive: Archive, *, platform: Platform | None) -> list[PlannedImage]:
    """The images of an archive, each image once, in the archive's order."""
    if archive.find("index.json") is not None:
        return _merged(_from_layout(archive, platform), archive)
    if archive.find("manifest.json") is not None:
        return [_from_docker_entry(archive, entry) for entry in _docker_entries(archive)]
    from_old = archive.find("repositories")
    if from_old is None:
        raise errors.InvalidArgument("open manifest.json: no such file or directory")
    raise errors.InvalidArgument("the archive has Docker's form of before 1.10, which is not supported: save it again")


# OCI layouts


def _from_layout(archive: Archive, platform: Platform | None) -> list[PlannedImage]:
    layout = parse_manifest(archive.read("index.json"), d.OCI_INDEX)
    if not isinstance(layout, Index):
        raise errors.InvalidArgument("index.json is not an index")
    found = []
    for target in layout.manifests:
        image = image_of_target(archive, target, platform=platform)
        if image is not None:
            found.append(replace(image, names=_layout_names(target)))
    if layout.manifests and not found:
        raise errors.InvalidArgument("the archive has no image for the platform asked for")
    return found


def image_of_target(archive: Archive, target: Descriptor, *, platform: Platform | None) -> PlannedImage | None:
    """The image that a manifest, or the fitting manifest of an index, describes; None when none fits."""
    manifest_descriptor = _choose(archive, target, platform, depth=0)
    if manifest_descriptor is None:
        return None
    manifest = _parse(archive, manifest_descriptor)
    if not isinstance(manifest, Manifest):
        raise errors.InvalidArgument(f"{manifest_descriptor.digest} is not a manifest")
    config_blob = archive.blob(manifest.config.digest)
    if config_blob is None:
        raise errors.InvalidArgument(f"content {manifest.config.digest}: not found")
    config = parse_config(archive.content.read(config_blob.digest))
    offered = Platform(os=config.os, architecture=config.architecture, variant=config.variant)
    if platform is not None and not matches(platform, offered):
        return None
    return PlannedImage(
        id=manifest.config.digest,
        config=config,
        manifest=manifest,
        manifest_digest=manifest_descriptor.digest,
        target_digest=target.digest,
    )


def _choose(archive: Archive, target: Descriptor, platform: Platform | None, *, depth: int) -> Descriptor | None:
    parsed = _parse(archive, target)
    if isinstance(parsed, Manifest):
        return target
    if depth >= _NESTING_LIMIT:
        raise errors.InvalidArgument(f"index {target.digest} is nested too deeply")
    present = [found for found in images_only(parsed.manifests) if archive.blob(found.digest) is not None]
    chosen = best(platform or host_platform(), present)
    if chosen is None and platform is None and present:
        chosen = present[0]
    return None if chosen is None else _choose(archive, chosen, platform, depth=depth + 1)


def _parse(archive: Archive, target: Descriptor) -> Manifest | Index:
    blob = archive.blob(target.digest)
    if blob is None:
        raise errors.InvalidArgument(f"content {target.digest}: not found")
    return parse_manifest(archive.content.read(blob.digest), target.media_type)


def _layout_names(target: Descriptor) -> tuple[Reference, ...]:
    annotations = target.annotations or {}
    name = annotations.get(_CONTAINERD_NAME) or annotations.get(_REF_NAME, "")
    # A bare word in ref.name is a tag, and a tag alone names nothing here.
    if "/" not in name and ":" not in name:
        return ()
    return (parse_reference(name).with_default_tag(),)


def _merged(images: list[PlannedImage], archive: Archive) -> list[PlannedImage]:
    """One entry per image and target, with the names and parents that manifest.json knows."""
    extra = {}
    if archive.find("manifest.json") is not None:
        for entry in _docker_entries(archive):
            blob = archive.find(entry.config)
            if blob is not None:
                extra[blob.digest] = entry
    merged: dict[tuple[str, str], PlannedImage] = {}
    for image in images:
        key = (image.id, image.target_digest)
        known = merged.get(key)
        merged[key] = image if known is None else replace(known, names=(*known.names, *image.names))
    for key, image in merged.items():
        docker = extra.get(image.id)
        if docker is not None:
            names = image.names or _tags(docker)
            merged[key] = replace(image, names=names, parent=docker.parent or None)
    return list(merged.values())


# Docker archives


def _docker_entries(archive: Archive) -> list[_DockerEntry]:
    try:
        return msgspec.json.decode(archive.read("manifest.json"), type=list[_DockerEntry])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise errors.InvalidArgument(f"invalid manifest.json: {error}") from error


def _from_docker_entry(archive: Archive, entry: _DockerEntry) -> PlannedImage:
    config_blob = archive.require(entry.config)
    config = parse_config(archive.read(entry.config))
    layers = entry.layers or []
    if len(layers) != len(config.diff_ids):
        expected, found = len(config.diff_ids), len(layers)
        raise errors.InvalidArgument(f"invalid manifest, layers length mismatch: expected {expected}, got {found}")
    descriptors = tuple(layer_descriptor(archive.content, archive.require(name).digest) for name in layers)
    content = encode_manifest(Descriptor(d.OCI_CONFIG, config_blob.digest, config_blob.size_bytes), descriptors)
    stored = archive.content.put(content, ref="manifest")
    manifest = parse_manifest(content)
    assert isinstance(manifest, Manifest)
    return PlannedImage(
        id=config_blob.digest,
        config=config,
        manifest=manifest,
        manifest_digest=stored.digest,
        target_digest=stored.digest,
        names=_tags(entry),
        parent=entry.parent or None,
    )


def _tags(entry: _DockerEntry) -> tuple[Reference, ...]:
    names = [parse_reference(tag) for tag in entry.repo_tags or []]
    for name in names:
        if not name.tag:
            raise errors.InvalidArgument(f'invalid tag "{name}"')
    return tuple(names)


def layer_descriptor(content: ContentStore, digest: str) -> Descriptor:
    """The descriptor of a stored layer, its media type told by its first bytes."""
    with content.open(digest) as file:
        compression = detect(file.read(DETECT_BYTES))
    suffix = MEDIA_SUFFIX.get(compression)
    if suffix is None:
        raise errors.InvalidArgument(f"layer {digest}: {compression} has no media type")
    return Descriptor(d.OCI_LAYER + suffix, digest, content.info(digest).size_bytes)
