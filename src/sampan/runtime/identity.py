"""Who a container's process runs as: user and group names looked up in the root's own files (passwd(5), group(5)).

The rules are Docker's: a number needs no entry; an explicit group takes the place of the supplementary groups; without
one they are those that list the user.
"""

import os

from sampan.linux.rootpath import open_in_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LIMIT_BYTES = 16 << 20  # an image may hold anything under /etc; more than this is no user list
_MAX_ID = (1 << 31) - 1


class IdentityError(Exception):
    """A name that the root does not know, in Docker's words."""


class Identity:
    """Numeric user, group and supplementary groups, and the home directory."""

    __slots__ = ("gid", "groups", "home", "keeps_groups", "uid", "umask")

    def __init__(self, uid: int, gid: int, groups: "list[int]", home: str, *, umask: int = 0o022) -> None:
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.home = home
        self.umask = umask
        self.keeps_groups = False


def look_up(root_fd: int, text: str, groups: "list[str]") -> Identity:
    """Read the root's files and resolve `text` ("name|uid[:group|gid]") and further `groups`."""
    return resolve(text, groups, _read(root_fd, "/etc/passwd"), _read(root_fd, "/etc/group"))


def of_numbers(root_fd: int, user: "dict[str, Any]") -> Identity:
    """The identity that an OCI process object gives in numbers; only the home directory is looked up."""
    uid = user.get("uid") or 0
    try:
        home = resolve(str(uid), [], _read(root_fd, "/etc/passwd"), "").home
    except IdentityError:
        home = "/"
    groups = list(user.get("additionalGids") or [])
    return Identity(uid, user.get("gid") or 0, groups, home, umask=user.get("umask", 0o022))


def _read(root_fd: int, path: str) -> str:
    try:
        fd = open_in_root(root_fd, path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        found = b""
        while len(found) < _LIMIT_BYTES and (piece := os.read(fd, 1 << 16)):
            found += piece
        return found.decode("utf-8", "surrogateescape")
    except OSError:
        return ""
    finally:
        os.close(fd)


def _entries(text: str, count: int) -> "list[list[str]]":
    rows = (line.strip().split(":") for line in text.splitlines() if line.strip() and line[0] != "#")
    return [row + [""] * (count - len(row)) for row in rows]


def _number(text: str) -> "int | None":
    if not text.isascii() or not text.isdigit():
        return None
    number = int(text)
    if number > _MAX_ID:
        raise IdentityError("uids and gids must be in range 0-2147483647")
    return number


def resolve(text: str, groups: "list[str]", passwd: str, group: str) -> Identity:
    """The pure part of `look_up`: the files' texts instead of the root."""
    user, _, wanted_group = text.partition(":")
    group_rows = _entries(group, 4)
    uid, gid, home, name = _user(user or "0", passwd)
    supplementary: list[int] = []
    if wanted_group:
        gid = _group(wanted_group, group_rows)
    elif name:
        for row in group_rows:
            number = _number(row[2])
            if number is not None and name in row[3].split(","):
                supplementary.append(number)
    further = [_additional(word, group_rows) for word in groups]
    # The primary group is among the others, too: a set-group-id program replaces it, and must not open by that what is
    # closed to the group (CVE-2022-36109).
    return Identity(uid, gid, list(dict.fromkeys([gid, *supplementary, *further])), home or "/")


def _user(user: str, passwd: str) -> "tuple[int, int, str, str]":
    """(uid, gid, home, name) of a name or number; a number without an entry has group 0 and no name."""
    number = _number(user)
    for row in _entries(passwd, 7):
        if row[0] == user or (number is not None and row[2] == str(number)):
            uid, gid = _number(row[2]), _number(row[3])
            if uid is not None:
                return uid, gid or 0, row[5], row[0]
    if number is None:
        raise IdentityError(f"unable to find user {user}: no matching entries in passwd file")
    return number, 0, "", ""


def _group(wanted: str, rows: "list[list[str]]") -> int:
    for row in rows:
        if row[0] == wanted and (found := _number(row[2])) is not None:
            return found
    number = _number(wanted)
    if number is None:
        raise IdentityError(f"unable to find group {wanted}: no matching entries in group file")
    return number


def _additional(wanted: str, rows: "list[list[str]]") -> int:
    try:
        return _group(wanted, rows)
    except IdentityError:
        raise IdentityError(f"Unable to find group {wanted}") from None
