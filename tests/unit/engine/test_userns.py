"""--userns-remap in dockerd's words (compared with Docker 28.5)."""

from pathlib import Path

import pytest

from sampan.engine.accounts import Accounts
from sampan.engine.idmapping import Extent, IdMapping
from sampan.engine.userns import check_kernel, mapping_for
from sampan.errors import InvalidArgument

MAPPING = IdMapping((Extent(0, 100000, 65536), Extent(65536, 7000000, 1000)), (Extent(0, 200000, 65536),))


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    (tmp_path / "passwd").write_text("root:x:0:0::/:/bin/sh\nhal:x:2001:9000::/:/bin/sh\npoor:x:2002:2002::/:/bin/sh\n")
    (tmp_path / "group").write_text("root:x:0:\nhal:x:2001:\npoor:x:2002:\ncrew:x:9000:\n")
    (tmp_path / "subuid").write_text("hal:100000:65536\n2001:7000000:1000\npoor:1:1\n")
    (tmp_path / "subgid").write_text("hal:200000:65536\n")
    (tmp_path / "bin").mkdir()
    return Accounts(str(tmp_path), str(tmp_path / "bin"))


@pytest.mark.parametrize("setting", ["hal", "2001", "hal:crew", "hal:9000", "2001:crew", "2001:9000"])
def test_a_user_is_named_or_numbered_and_the_ranges_are_added_up(accounts: Accounts, setting: str) -> None:
    assert mapping_for(setting, accounts) == MAPPING


def test_without_a_setting_and_for_root_nothing_is_remapped(accounts: Accounts) -> None:
    assert [mapping_for(setting, accounts) for setting in ("", "root", "0", "0:0")] == [None] * 4


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("a:b:c", 'Invalid user/group specification in --userns-remap: "a:b:c"'),
        (
            "nosuch.user",
            'Error during uid lookup for "nosuch.user": getent unable to find entry "nosuch.user" in passwd database',
        ),
        (
            "1999999991",
            'Uid 1999999991 has no entry in /etc/passwd: getent unable to find entry "1999999991" in passwd database',
        ),
        (
            "hal:nosuch.group",
            'Error during groupname lookup for "nosuch.group": getent unable to find entry "nosuch.group" in group '
            "database",
        ),
        (
            "hal:1999999991",
            'Gid 1999999991 has no entry in /etc/passwd: getent unable to find entry "1999999991" in group database',
        ),
        ("poor", 'Can\'t create ID mappings: no subgid ranges found for user "poor"'),
        ("default", 'Error during "dockremap" user creation: cannot add user; no useradd/adduser binary found'),
    ],
)
def test_what_leads_to_no_mapping_is_an_error(accounts: Accounts, setting: str, text: str, tmp_path: Path) -> None:
    accounts = _without_name_service(accounts)
    with pytest.raises(InvalidArgument) as caught:
        mapping_for(setting, accounts)
    assert str(caught.value) == text


class _FilesOnly(Accounts):
    """A user of the machine that runs the tests must not make a difference."""

    def _asked_user(self, key: str | int) -> None:
        return None


def _without_name_service(accounts: Accounts) -> Accounts:
    return _FilesOnly(accounts.etc, accounts.programs)


def test_a_user_without_a_group_of_his_name_is_refused(accounts: Accounts) -> None:
    Path(accounts.etc, "group").write_text("crew:x:9000:\n")
    with pytest.raises(InvalidArgument, match='Error during gid lookup for "hal"'):
        mapping_for("hal", accounts)
    assert mapping_for("hal:crew", accounts) == MAPPING


def test_more_ranges_than_the_kernel_takes_are_refused(accounts: Accounts) -> None:
    Path(accounts.etc, "subuid").write_text("".join(f"hal:{start}000:10\n" for start in range(1, 343)))
    with pytest.raises(InvalidArgument, match=r"342 subuid ranges.*340 at most"):
        mapping_for("hal", accounts)


def test_a_range_that_makes_no_sense_is_shown(accounts: Accounts) -> None:
    Path(accounts.etc, "subuid").write_text("hal:many:few\n")
    with pytest.raises(InvalidArgument, match=r"Can.t create ID mappings: invalid line in .*hal:many:few"):
        mapping_for("hal", accounts)


def test_an_old_kernel_is_refused() -> None:
    check_kernel((5, 19))
    check_kernel((6, 1))
    with pytest.raises(InvalidArgument, match=r"needs Linux 5\.19 or later .*this is Linux 5\.18"):
        check_kernel((5, 18))
