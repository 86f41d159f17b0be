"""Platforms: `linux/arm64/v8` and which of an index's manifests fits best.

Spec        image-spec v1.1, image-index.md, "Platform Variants"; containerd's normalisation of architecture names.
"""

import os
from collections.abc import Iterable, Sequence

from sampan import errors
from sampan.oci.descriptor import Descriptor, Platform

_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "amd64": ("amd64", ""),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armv7l": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv6l": ("arm", "v6"),
    "ppc64le": ("ppc64le", ""),
}
_DEFAULT_VARIANTS = {("arm64", "v8"): "", ("arm", ""): "v7", ("amd64", "v1"): ""}
_UNKNOWN = "unknown"


def host_platform() -> Platform:
    architecture, variant = _ARCHITECTURES.get(os.uname().machine, (os.uname().machine, ""))
    return Platform(os="linux", architecture=architecture, variant=variant)


def parse_platform(unsafe_text: str) -> Platform:
    """`os/architecture[/variant]`, or an architecture or operating system alone."""
    parts = unsafe_text.lower().split("/")
    if not 1 <= len(parts) <= 3 or not all(part.replace("-", "").replace("_", "").isalnum() for part in parts):
        raise errors.InvalidArgument(f"{unsafe_text!r}: cannot parse platform: invalid argument")
    host = host_platform()
    if len(parts) == 1 and parts[0] == "linux":
        parts.append(host.architecture)
    elif len(parts) == 1:
        parts.insert(0, "linux")
    return normalize(Platform(os=parts[0], architecture=parts[1], variant=parts[2] if len(parts) > 2 else ""))


def normalize(platform: Platform) -> Platform:
    architecture, implied = _ARCHITECTURES.get(platform.architecture.lower(), (platform.architecture.lower(), ""))
    variant = platform.variant.lower() or implied
    variant = f"v{variant}" if variant.isdigit() else variant
    variant = _DEFAULT_VARIANTS.get((architecture, variant), variant)
    return Platform(os=platform.os.lower(), architecture=architecture, variant=variant, os_version=platform.os_version)


def format_platform(platform: Platform) -> str:
    return "/".join(filter(None, (platform.os, platform.architecture, platform.variant)))


def matches(wanted: Platform, offered: Platform) -> bool:
    """Whether a machine of the platform `wanted` runs programs of `offered`."""
    want, offer = normalize(wanted), normalize(offered)
    if (want.os, want.architecture) != (offer.os, offer.architecture):
        return False
    if want.variant == offer.variant:
        return True
    # A newer ARM runs an older one's programs; an amd64 microarchitecture level runs the levels below it.
    return want.architecture in ("arm", "amd64") and _level(offer.variant) <= _level(want.variant)


def best(wanted: Platform, offers: Sequence[Descriptor]) -> Descriptor | None:
    """The descriptor that fits best: the closest variant, the first among equals."""
    fitting = [offer for offer in offers if offer.platform is not None and matches(wanted, offer.platform)]
    return max(fitting, key=lambda offer: _level(_variant(offer)), default=None)


def images_only(offers: Iterable[Descriptor]) -> list[Descriptor]:
    """Without attestations, which indexes carry as manifests of an unknown platform."""
    return [offer for offer in offers if offer.platform is None or offer.platform.architecture != _UNKNOWN]


def _variant(offer: Descriptor) -> str:
    return normalize(offer.platform).variant if offer.platform else ""


def _level(variant: str) -> int:
    digits = variant.removeprefix("v")
    return int(digits) if digits.isdigit() else 0
