"""What another runtime is told about a container: the OCI config without what only our own understands. Pure.

Changes     the user is resolved, for runtimes know numbers only; HOME is set; the network namespace goes by a path; our
            own mount options and annotations are left out. The version is one that every runtime takes: crun before
            1.9 refuses configs of 1.1 and later, and nothing that we ask for is younger than its number.
Spec        runtime-spec 1.2, config.md.
"""

from sampan.linux.mount import OURS, PROPAGATION
from sampan.runtime.identity import Identity
from sampan.runtime.reaper import ANNOTATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ROOT = "rootfs"
OCI_VERSION = "1.0.2"


def config(
    spec: "dict[str, Any]",
    identity: Identity,
    *,
    namespace_paths: "dict[str, str] | None" = None,
    sources: "dict[int, str] | None" = None,
) -> "dict[str, Any]":
    """The config.json; `sources` replaces the sources of mounts by their place in the list."""
    found = {**spec, "ociVersion": OCI_VERSION}
    found["root"] = {**(spec.get("root") or {}), "path": ROOT}
    found["process"] = process(spec["process"], identity)
    mounts = []
    for number, mount in enumerate(spec.get("mounts") or []):
        options = [word for word in mount.get("options") or [] if not word.startswith(OURS)]
        source = (sources or {}).get(number, mount.get("source"))
        # What is idmapped is so by now.
        kept = {key: value for key, value in mount.items() if key not in ("uidMappings", "gidMappings")}
        mounts.append({**kept, "options": options, **({"source": source} if source is not None else {})})
    found["mounts"] = mounts
    linux = dict(spec["linux"])
    linux["namespaces"] = [_namespace(space, namespace_paths or {}) for space in linux.get("namespaces") or []]
    found["linux"] = linux
    annotations = {key: text for key, text in (spec.get("annotations") or {}).items() if key != ANNOTATION}
    found.pop("annotations", None)
    return found | ({"annotations": annotations} if annotations else {})


def _namespace(space: "dict[str, str]", paths: "dict[str, str]") -> "dict[str, str]":
    is_given = not space.get("path") and space["type"] in paths
    return {**space, "path": paths[space["type"]]} if is_given else space


def process(process: "dict[str, Any]", identity: Identity) -> "dict[str, Any]":
    """The process object of a container or of an exec."""
    user = {**(process.get("user") or {}), "uid": identity.uid, "gid": identity.gid}
    user.pop("additionalGids", None)
    if identity.groups:
        user["additionalGids"] = identity.groups
    environment = list(process.get("env") or [])
    if not any(text.startswith("HOME=") for text in environment):
        environment.append(f"HOME={identity.home}")
    return {**process, "user": user, "env": environment}


def shared_binds(spec: "dict[str, Any]") -> "list[int]":
    """The places in the list of the mounts that are to travel from the container to the host."""
    found = []
    for number, mount in enumerate(spec.get("mounts") or []):
        words = [word for word in mount.get("options") or [] if word in PROPAGATION]
        if words and words[-1] in ("shared", "rshared") and mount.get("source"):
            found.append(number)
    return found
