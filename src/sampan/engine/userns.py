"""--userns-remap: from the daemon's setting to an `IdMapping`, by the system's accounts and their subordinate ids.

Setting     "default", USER, UID, USER:GROUP or UID:GID. "default" is the user "dockremap", made when there is none. The
            ranges are those of the user, in both files: a group is only looked up, as dockerd does it.
Ranges      All lines of /etc/subuid and /etc/subgid for the user's name or number, in their order, one after the other.
Root        cannot be remapped with itself: then nothing is remapped.
Kernel      Layers are idmapped, which overlayfs takes since Linux 5.19, if the file system below can be idmapped, too.
Errors      InvalidArgument in dockerd's words.
Spec        subuid(5), subgid(5); moby daemon/daemon_unix.go (parseRemappedRoot, setupRemappedRoot).
"""

import logging
import subprocess

from sampan.engine.accounts import Account, Accounts
from sampan.engine.idmapping import IdMapping
from sampan.errors import InvalidArgument

DEFAULT = "default"
DEFAULT_USER = "dockremap"
MIN_KERNEL = (5, 19)
_MAX_EXTENTS = 340  # user_namespaces(7), "Defining user and group ID mappings"

_log = logging.getLogger("sampan.userns")


def mapping_for(setting: str, accounts: Accounts) -> IdMapping | None:
    """The mapping that a setting asks for; None where it asks for none. May add a user. Blocks."""
    if not setting:
        return None
    user = _user_of(setting, accounts)
    if user.name == "root":
        _log.warning("User namespaces: root cannot be remapped with itself; user namespaces are OFF")
        return None
    _log.info("User namespaces: ID ranges will be mapped to subuid/subgid ranges of: %s", user.name)
    return IdMapping.of_ranges(_ranges("subuid", user, accounts), _ranges("subgid", user, accounts))


def check_kernel(release: tuple[int, int]) -> None:
    """Refuse to start where layers cannot be idmapped."""
    if release < MIN_KERNEL:
        found, needed = (".".join(map(str, number)) for number in (release, MIN_KERNEL))
        raise InvalidArgument(
            f"userns-remap needs Linux {needed} or later for overlay mounts with idmapped layers; this is Linux {found}"
        )


def _user_of(setting: str, accounts: Accounts) -> Account:
    parts = setting.split(":")
    if len(parts) > 2:
        raise InvalidArgument(f'Invalid user/group specification in --userns-remap: "{setting}"')
    uid = _number(parts[0])
    user = _by_name(parts[0], accounts) if uid is None else _by_number(uid, accounts)
    if len(parts) == 2:
        _check_group(parts[1], accounts)
    elif uid is not None:
        _check_group_number(uid, accounts, file="group")
    elif accounts.group(user.name) is None:
        raise InvalidArgument(
            f'Error during gid lookup for "{user.name}": getent unable to find entry "{user.name}" in group database'
        )
    return user


def _by_number(uid: int, accounts: Accounts) -> Account:
    user = accounts.user(uid)
    if user is None:
        raise InvalidArgument(
            f'Uid {uid} has no entry in /etc/passwd: getent unable to find entry "{uid}" in passwd database'
        )
    return user


def _by_name(text: str, accounts: Accounts) -> Account:
    name = DEFAULT_USER if text == DEFAULT else text
    user = accounts.user(name)
    if user is not None:
        return user
    if text != DEFAULT:
        reason = f'getent unable to find entry "{name}" in passwd database'
        raise InvalidArgument(f'Error during uid lookup for "{name}": {reason}')
    try:
        return accounts.add(name)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise InvalidArgument(f'Error during "{name}" user creation: {error}') from error


def _check_group(text: str, accounts: Accounts) -> None:
    gid = _number(text)
    if gid is not None:
        _check_group_number(gid, accounts, file="passwd")  # sic
    elif accounts.group(text) is None:
        raise InvalidArgument(
            f'Error during groupname lookup for "{text}": getent unable to find entry "{text}" in group database'
        )


def _check_group_number(gid: int, accounts: Accounts, *, file: str) -> None:
    if accounts.group(gid) is None:
        raise InvalidArgument(
            f'Gid {gid} has no entry in /etc/{file}: getent unable to find entry "{gid}" in group database'
        )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _ranges(kind: str, user: Account, accounts: Accounts) -> list[tuple[int, int]]:
    try:
        found = accounts.ranges(kind, user)
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"Can't create ID mappings: {error}") from error
    if not found:
        raise InvalidArgument(f'Can\'t create ID mappings: no {kind} ranges found for user "{user.name}"')
    if len(found) > _MAX_EXTENTS:
        raise InvalidArgument(
            f'Can\'t create ID mappings: {len(found)} {kind} ranges of user "{user.name}"; '
            f"the kernel takes {_MAX_EXTENTS} at most"
        )
    return found
