"""A user of this machine who has subordinate ids, for daemons that remap (--userns-remap)."""

import grp
import pwd
from typing import NamedTuple


class Remapped(NamedTuple):
    """`setting` for the daemon; the first uid and gid on the host, and how many there are in their first ranges."""

    setting: str
    uid: int
    gid: int
    uids: int
    gids: int


def first() -> Remapped | None:
    """The first user whose ranges begin beyond the system's own ids."""
    users, groups = _ranges("/etc/subuid"), _ranges("/etc/subgid")
    for name in users:
        if name not in groups:
            continue
        try:
            account = pwd.getpwnam(name)
            group = grp.getgrgid(account.pw_gid).gr_gid
        except KeyError:
            continue
        (uid, uids), (gid, gids) = users[name], groups[name]
        if account.pw_uid and min(uid, gid) >= 65536 and min(uids, gids) >= 65536:
            return Remapped(f"{name}:{group}", uid, gid, uids, gids)
    return None


def _ranges(path: str) -> dict[str, tuple[int, int]]:
    """The first (start, count) of each owner."""
    found: dict[str, tuple[int, int]] = {}
    try:
        with open(path) as file:
            rows = [line.strip().split(":") for line in file]
    except FileNotFoundError:
        return {}
    for row in rows:
        if len(row) == 3:
            found.setdefault(row[0], (int(row[1]), int(row[2])))
    return found
