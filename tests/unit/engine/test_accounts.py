"""The files of /etc in a directory of the test, with programs that change them there."""

import os
from pathlib import Path

import pytest

from sampan.engine.accounts import Account, Accounts

ALICE = Account("alice", 1000)
USERMOD = """#!/bin/sh
case $1 in -v) file=subuid;; -w) file=subgid;; esac
echo "$3:${2%-*}:$((${2#*-} - ${2%-*} + 1))" >>ETC/$file
"""
USERADD = """#!/bin/sh
for name; do :; done
echo "$name:x:999:998::/:/bin/false" >>ETC/passwd
echo "$name:x:998:" >>ETC/group
"""


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    found = tmp_path / "etc"
    found.mkdir()
    (found / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\n\n# alice is new\nalice:x:1000:1001::/:/bin/sh\nbad\n"
    )
    (found / "group").write_text("root:x:0:\nalice:x:1001:\nstaff:x:50:alice\n")
    (found / "subuid").write_text("alice:100000:65536\nbob:165536:65536\n1000:300000:10\nbob:x:y\n")
    (found / "subgid").write_text("alice:100000:65536\n")
    return found


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(text.replace("ETC", str(folder.parent / "etc")))
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    found = tmp_path / "bin"
    found.mkdir()
    program(found, "usermod", USERMOD)
    program(found, "useradd", USERADD)
    return found


def test_users_and_groups_are_found_by_name_and_by_number(etc: Path) -> None:
    accounts = Accounts(str(etc))
    assert accounts.user("alice") == accounts.user(1000) == ALICE
    assert accounts.group("staff") == accounts.group(50) == Account("staff", 50)
    assert accounts.user("no such user here") is None and accounts.group((1 << 31) - 7) is None


def test_the_name_service_knows_those_that_the_files_do_not(etc: Path) -> None:
    (etc / "passwd").write_text("")
    found = Accounts(str(etc)).user(0)
    assert found is not None and found.number == 0


def test_ranges_go_by_name_or_number_and_keep_their_order(etc: Path) -> None:
    accounts = Accounts(str(etc))
    assert accounts.ranges("subuid", ALICE) == [(100000, 65536), (300000, 10)]
    assert accounts.ranges("subgid", Account("carol", 7)) == []


def test_only_ones_own_lines_have_to_make_sense(etc: Path) -> None:
    with pytest.raises(ValueError, match=r"invalid line in .*/subuid: bob:x:y"):
        Accounts(str(etc)).ranges("subuid", Account("bob", 1))


def test_a_missing_file_is_named(etc: Path) -> None:
    (etc / "subgid").unlink()
    with pytest.raises(OSError, match="subgid: no such file or directory"):
        Accounts(str(etc)).ranges("subgid", ALICE)


def test_a_new_user_gets_the_first_range_that_nobody_has(etc: Path, programs: Path) -> None:
    accounts = Accounts(str(etc), f"{programs}")
    user = accounts.add("dockremap")
    assert user == Account("dockremap", 999)
    assert accounts.ranges("subuid", user) == [(231072, 65536)]
    assert accounts.ranges("subgid", user) == [(165536, 65536)]


def test_ranges_that_came_with_the_user_are_kept(etc: Path, programs: Path) -> None:
    for file in ("subuid", "subgid"):
        (etc / file).write_text("dockremap:500000:1000\n")
    accounts = Accounts(str(etc), f"{programs}")
    assert accounts.ranges("subuid", accounts.add("dockremap")) == [(500000, 1000)]


def test_adduser_is_preferred_and_its_complaint_is_told(etc: Path, programs: Path) -> None:
    program(programs, "adduser", "#!/bin/sh\necho no room for $9; exit 3\n")
    with pytest.raises(ValueError, match="failed to add user with error: exit status 3; output: no room for"):
        Accounts(str(etc), f"{programs}").add("dockremap")


def test_without_programs_there_is_no_new_user(etc: Path, programs: Path) -> None:
    os.unlink(programs / "useradd")
    with pytest.raises(ValueError, match="cannot add user; no useradd/adduser binary found"):
        Accounts(str(etc), str(programs)).add("dockremap")
    program(programs, "useradd", USERADD)
    os.unlink(programs / "usermod")
    with pytest.raises(ValueError, match="unable to add subuid range to user: dockremap; no usermod binary found"):
        Accounts(str(etc), str(programs)).add("dockremap")
