"""The ids of a remapped container: what they are on the host. A value; where it comes from is `engine.userns`'s matter.

    container   0 ............ count-1            count ...
    host        first ........ first+count-1      (of the next range) ...

On disk        Files have the container's ids: layers and volumes are mounted through the same mapping, which is what
               "idmapped" means (mount_setattr(2)).
Outside of it  An id of the host that is in no range is nobody's inside (65534).
Spec           user_namespaces(7); runtime-spec 1.2, config-linux.md "User namespace mappings".
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sampan.linux.mount import IDMAP, Mount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sampan.api.wire.host import HostConfig
    from sampan.engine.host import HostFacts

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Extent:
    """`count` ids from `inside` are those from `outside` on the host."""

    inside: int
    outside: int
    count: int

    def to_json(self) -> Json:
        """As the OCI config has it."""
        return {"containerID": self.inside, "hostID": self.outside, "size": self.count}


@dataclass(frozen=True, slots=True)
class IdMapping:
    """Users and groups; each has at least one extent, and the first begins with root."""

    uids: tuple[Extent, ...]
    gids: tuple[Extent, ...]

    @classmethod
    def of_ranges(cls, uids: "Sequence[tuple[int, int]]", gids: "Sequence[tuple[int, int]]") -> Self:
        """Of the host's (first, count) ranges, one after the other."""
        return cls(_added_up(uids), _added_up(gids))

    @property
    def root(self) -> tuple[int, int]:
        """(uid, gid) that the container's root has on the host."""
        return self.uids[0].outside, self.gids[0].outside

    def to_json(self) -> Json:
        """{"uids", "gids"}: two lists of mappings of the OCI config."""
        return {
            "uids": [extent.to_json() for extent in self.uids],
            "gids": [extent.to_json() for extent in self.gids],
        }

    def to_oci(self) -> Json:
        """The two fields that config.linux and mounts have in common."""
        found = self.to_json()
        return {"uidMappings": found["uids"], "gidMappings": found["gids"]}

    def on_layers(self, mounts: list[Mount]) -> list[Mount]:
        """The mounts of a root with their layers seen through this mapping."""
        word = f"{IDMAP}uids={_text(self.uids)};gids={_text(self.gids)}"
        return [Mount(mount.type, mount.source, mount.target, [*mount.options, word]) for mount in mounts]


def _added_up(ranges: "Sequence[tuple[int, int]]") -> tuple[Extent, ...]:
    found, inside = [], 0
    for first, count in ranges:
        found.append(Extent(inside, first, count))
        inside += count
    return tuple(found)


def _text(extents: tuple[Extent, ...]) -> str:
    return "#".join(f"{extent.inside}-{extent.outside}-{extent.count}" for extent in extents)


def mapping_of(host: "HostConfig", facts: "HostFacts") -> IdMapping | None:
    """A container's mapping: the daemon's, unless the container is to be in the host's user namespace (--userns)."""
    return None if host.userns_mode == "host" else facts.id_mapping
