"""The id mappings that a config gives to a mount (idmapped mounts).

Three ways  "uidMappings" and "gidMappings" of the mount; crun's option "idmap=uids=0-1000-10;gids=0-1000-10"; or the
            bare option "idmap", for the mappings of the container's user namespace. "ridmap" reaches the mounts below.
Text        uids=<inside>-<outside>-<count>[#...], where @ in front of a triple has "outside" be an id of the container.
Spec        runtime-spec 1.2, config.md "Mounts"; crun(1), "idmap mount options".
"""

import errno
import os

from sampan.linux import idmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.linux.idmap import Mapping

_made: "dict[str, int]" = {}  # user namespaces by their mappings: a container's mounts often have equal ones


class IdMap:
    """Mappings and whether they are for the mounts below, too; `path` names a user namespace that has them."""

    __slots__ = ("gids", "path", "recursive", "uids")

    def __init__(
        self, uids: "list[Mapping]", gids: "list[Mapping]", *, recursive: bool = False, path: str = ""
    ) -> None:
        self.uids = uids
        self.gids = gids
        self.recursive = recursive
        self.path = path

    def apply(self, tree_fd: int) -> None:
        """Map a detached mount."""
        key = self.path or f"{self.uids}{self.gids}"
        if key not in _made:
            _made[key] = self._namespace_fd()
        idmap.map_mount(tree_fd, _made[key], recursive=self.recursive)

    def _namespace_fd(self) -> int:
        if self.path:
            return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        return idmap.userns_fd(self.uids, self.gids)


def of_mount(mount: "dict[str, Any]", words: "list[str]", linux: "dict[str, Any]") -> "IdMap | None":
    """What a mount of the config asks for; `words` are those of its options that are for us. OSError: EINVAL."""
    asked = next((word for word in words if word.partition("=")[0] in ("idmap", "ridmap")), "")
    name, _, text = asked.partition("=")
    recursive = name == "ridmap"
    uids, gids = mount.get("uidMappings"), mount.get("gidMappings")
    if bool(uids) != bool(gids):
        raise _invalid(f"invalid mappings specified for the mount on `{mount['destination']}`")
    if uids and gids:
        return IdMap(triples(uids), triples(gids), recursive=recursive)
    if not asked:
        return None
    if text:
        return parse(text, linux, recursive=recursive)
    path = next((space["path"] for space in linux.get("namespaces") or () if _is_joined_user(space)), "")
    uids, gids = triples(linux.get("uidMappings")), triples(linux.get("gidMappings"))
    if not path and not (uids and gids):
        raise _invalid(f"{name} without mappings needs a user namespace of the container's own")
    return IdMap(uids, gids, recursive=recursive, path=path)


def _is_joined_user(space: "dict[str, Any]") -> bool:
    return space["type"] == "user" and bool(space.get("path"))


def triples(mappings: "list[dict[str, Any]] | None") -> "list[Mapping]":
    """Mappings of the config as tuples."""
    return [(one.get("containerID") or 0, one.get("hostID") or 0, one.get("size") or 0) for one in mappings or ()]


def parse(text: str, linux: "dict[str, Any] | None" = None, *, recursive: bool = False) -> IdMap:
    """The mappings of an option's value; `linux` is the config's, for those that are relative to its own."""
    found: dict[str, list[Mapping]] = {"uids": [], "gids": []}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        if name not in found:
            raise _invalid(f"invalid option `{part}` specified")
        own = triples((linux or {}).get("uidMappings" if name == "uids" else "gidMappings"))
        found[name] = [_triple(word, own) for word in value.split("#") if word]
    return IdMap(found["uids"], found["gids"], recursive=recursive)


def _triple(word: str, own: "list[Mapping]") -> "Mapping":
    try:
        inside, outside, count = map(int, word.removeprefix("@").split("-"))
    except ValueError as error:
        raise _invalid(f"invalid mapping specified `{word}`") from error
    if not word.startswith("@"):
        return inside, outside, count
    if not own:
        raise _invalid("specified a relative mapping without user namespace mappings")
    host = host_id(outside, own)
    if host < 0:
        raise _invalid(f"could not find a user namespace mapping for the relative mapping `{word}`")
    return inside, host, count


def host_id(number: int, mappings: "list[Mapping]") -> int:
    """What an id of a user namespace is outside of it; -1 for one that is not mapped."""
    for inside, outside, count in mappings:
        if inside <= number < inside + count:
            return outside + number - inside
    return -1


def _invalid(text: str) -> OSError:
    return OSError(errno.EINVAL, text)
