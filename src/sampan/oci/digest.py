"""Digests: an algorithm and the hexadecimal hash of some bytes, kept as the text `sha256:ab12…`.

Errors      InvalidArgument, in the words of Docker's digest package.
Spec        image-spec v1.1, descriptor.md, "Digests"; config.md, "Layer ChainID".
Standard library only: hot packages use this module.
"""

import hashlib
import re

from sampan import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}

_SHAPE = re.compile(r"([a-z0-9]+(?:[.+_-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)")
_HEX = re.compile(r"[0-9a-f]+")


def check_digest(unsafe_text: str) -> str:
    """The text itself when it is a digest of a known algorithm: then both parts are also safe as file names."""
    shape = _SHAPE.fullmatch(unsafe_text)
    if shape is None:
        raise errors.InvalidArgument(f"invalid checksum digest format: {unsafe_text!r}")
    length = LENGTHS.get(shape[1])
    if length is None:
        raise errors.InvalidArgument(f"unsupported digest algorithm: {unsafe_text!r}")
    if len(shape[2]) != length:
        raise errors.InvalidArgument(f"invalid checksum digest length: {unsafe_text!r}")
    if not _HEX.fullmatch(shape[2]):
        raise errors.InvalidArgument(f"invalid checksum digest format: {unsafe_text!r}")
    return unsafe_text


def is_digest(text: str) -> bool:
    shape = _SHAPE.fullmatch(text)
    return shape is not None and LENGTHS.get(shape[1]) == len(shape[2]) and _HEX.fullmatch(shape[2]) is not None


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def algorithm_of(digest: str) -> str:
    return digest.partition(":")[0]


def hex_of(digest: str) -> str:
    return digest.partition(":")[2]


def short(digest: str) -> str:
    """The twelve digits that Docker prints."""
    return hex_of(digest)[:12]


def chain_ids(diff_ids: "Iterable[str]") -> list[str]:
    """The chain id of each layer of a stack, lowest first."""
    found: list[str] = []
    for diff_id in diff_ids:
        found.append(digest_of(f"{found[-1]} {diff_id}".encode()) if found else diff_id)
    return found
