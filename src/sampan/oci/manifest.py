"""Manifests and indexes, parsed beside their bytes.

Invariants  A received manifest is never re-serialised: its digest is that of its bytes. `encode` is only for new ones.
Errors      InvalidArgument: not a manifest this program understands.
Spec        image-spec v1.1, manifest.md and image-index.md; a missing media type is told apart by its members.
"""

from typing import Any

import msgspec

from sampan import errors
from sampan.oci import descriptor as d
from sampan.oci.descriptor import Descriptor
from sampan.oci.digest import check_digest

_SIZE_LIMIT_BYTES = 4 << 20


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One image for one platform."""

    schema_version: int
    config: Descriptor
    layers: tuple[Descriptor, ...] = ()
    media_type: str = ""
    annotations: dict[str, str] | None = None


class Index(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Several manifests, for instance of several platforms."""

    schema_version: int
    manifests: tuple[Descriptor, ...] = ()
    media_type: str = ""
    annotations: dict[str, str] | None = None


class _Kind(msgspec.Struct, rename="camel"):
    media_type: str = ""
    manifests: Any = None
    fs_layers: Any = None


# Field order is Docker's, so that a manifest made here has the digest that Docker would give it.
class _NewManifest(msgspec.Struct, frozen=True, rename="camel"):
    schema_version: int
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]


def parse_manifest(content: bytes, media_type: str = "") -> Manifest | Index:
    """The manifest or index in `content`; its own media type counts more than the one it came with."""
    if len(content) > _SIZE_LIMIT_BYTES:
        raise errors.InvalidArgument(f"manifest of {len(content)} bytes is too large")
    try:
        kind = msgspec.json.decode(content, type=_Kind)
        if kind.fs_layers is not None and kind.manifests is None:
            raise errors.InvalidArgument("manifest schema 1 is not supported")
        stated = kind.media_type or media_type
        is_index = stated in d.INDEX_TYPES or (stated not in d.MANIFEST_TYPES and kind.manifests is not None)
        if is_index:
            index = msgspec.json.decode(content, type=Index)
            return msgspec.structs.replace(index, manifests=tuple(_checked(m) for m in index.manifests))
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise errors.InvalidArgument(f"invalid manifest: {error}") from error
    layers = tuple(_checked(layer) for layer in manifest.layers)
    return msgspec.structs.replace(manifest, config=_checked(manifest.config), layers=layers)


def encode_manifest(config: Descriptor, layers: tuple[Descriptor, ...]) -> bytes:
    """The bytes of a new OCI manifest."""
    return msgspec.json.encode(_NewManifest(schema_version=2, media_type=d.OCI_MANIFEST, config=config, layers=layers))


def references_of(parsed: Manifest | Index) -> tuple[Descriptor, ...]:
    """What a manifest or an index points at, one level down."""
    return parsed.manifests if isinstance(parsed, Index) else (parsed.config, *parsed.layers)


def _checked(found: Descriptor) -> Descriptor:
    check_digest(found.digest)
    if found.size < 0:
        raise errors.InvalidArgument(f"descriptor of {found.digest} has the size {found.size}")
    return found
