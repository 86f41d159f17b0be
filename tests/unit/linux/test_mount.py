import pytest

from sampan.linux import constants as c
from sampan.linux.mount import FLAGS, RECURSIVE, Mount, parse_options, unescape

ALL = c.MOUNT_ATTR_RDONLY | c.MOUNT_ATTR_NOSUID | c.MOUNT_ATTR_NODEV | c.MOUNT_ATTR_NOEXEC


def test_flag_words_become_flags_and_the_rest_is_for_the_file_system() -> None:
    found = parse_options(["nosuid", "ro", "size=64k", "mode=755"])
    assert found.flags == c.MS_NOSUID | c.MS_RDONLY
    assert found.data == "size=64k,mode=755"


def test_a_later_word_takes_an_earlier_one_back() -> None:
    assert parse_options(["ro", "noexec", "rw"]).flags == c.MS_NOEXEC


def test_recursive_words_and_propagation_are_kept_apart() -> None:
    found = parse_options(["rbind", "rro", "rslave"])
    assert (found.flags, found.set_recursive) == (c.MS_BIND | c.MS_REC, c.MOUNT_ATTR_RDONLY)
    assert found.propagation == [c.MS_SLAVE | c.MS_REC]


def test_our_own_words_never_reach_the_kernel() -> None:
    found = parse_options(["x-sampan.chdir=/a", "upperdir=b"])
    assert (found.ours, found.data) == (["x-sampan.chdir=/a"], "upperdir=b")


def test_bind_attributes_follow_the_flags() -> None:
    found = parse_options(["ro", "nodev", "noatime"]).bind_attributes
    wanted = c.MOUNT_ATTR_RDONLY | c.MOUNT_ATTR_NODEV | c.MOUNT_ATTR_NOATIME
    assert found == (wanted, c.MOUNT_ATTR__ATIME)


def test_mounts_with_equal_fields_are_equal() -> None:
    assert Mount("bind", "/a", "/b", ["ro"]) == Mount("bind", "/a", "/b", ["ro"])
    assert Mount("bind", "/a", "/b", ["ro"]) != Mount("bind", "/a", "/b", [])


@pytest.mark.parametrize(
    ("words", "wanted", "unwanted"),
    [
        (["bind"], 0, 0),
        (["rw", "suid", "dev", "exec"], 0, ALL),
        (["ro", "rw"], 0, c.MOUNT_ATTR_RDONLY),
        (["rw", "ro"], c.MOUNT_ATTR_RDONLY, 0),
        (["relatime"], 0, c.MOUNT_ATTR__ATIME),
        (["noatime"], c.MOUNT_ATTR_NOATIME, c.MOUNT_ATTR__ATIME),
        (["strictatime"], c.MOUNT_ATTR_STRICTATIME, c.MOUNT_ATTR__ATIME),
        (["nostrictatime"], 0, c.MOUNT_ATTR__ATIME),
        (["nosymfollow", "nodiratime"], c.MOUNT_ATTR_NOSYMFOLLOW | c.MOUNT_ATTR_NODIRATIME, 0),
        (["symfollow", "diratime"], 0, c.MOUNT_ATTR_NOSYMFOLLOW | c.MOUNT_ATTR_NODIRATIME),
        (["sync", "lazytime", "iversion"], 0, 0),
    ],
)
def test_a_bind_loses_only_what_a_word_takes_away(words: list[str], wanted: int, unwanted: int) -> None:
    assert parse_options(words).bind_attributes == (wanted, unwanted)


@pytest.mark.parametrize(
    ("words", "on", "off"),
    [
        (["rro", "rrw"], 0, c.MOUNT_ATTR_RDONLY),
        (["rrw", "rro"], c.MOUNT_ATTR_RDONLY, 0),
        (["rnoatime"], c.MOUNT_ATTR_NOATIME, c.MOUNT_ATTR__ATIME),
        (["rnoatime", "rrelatime"], 0, c.MOUNT_ATTR__ATIME),
        (["rnosymfollow", "rnodev", "rdev"], c.MOUNT_ATTR_NOSYMFOLLOW, c.MOUNT_ATTR_NODEV),
    ],
)
def test_recursive_words_take_each_other_back(words: list[str], on: int, off: int) -> None:
    found = parse_options(words)
    assert (found.set_recursive, found.clear_recursive) == (on, off)


def test_a_new_file_system_has_nothing_below_so_recursive_words_are_plain_ones() -> None:
    assert parse_options(["rro", "rnoexec"]).fresh_flags == c.MS_RDONLY | c.MS_NOEXEC
    assert parse_options(["ro", "rrw"]).fresh_flags == 0
    assert parse_options(["rstrictatime", "rsync"]).fresh_flags == c.MS_STRICTATIME | c.MS_SYNCHRONOUS
    assert parse_options(["noatime", "rrelatime", "lazytime"]).fresh_flags == c.MS_LAZYTIME


def test_every_propagation_is_kept_in_its_order() -> None:
    found = parse_options(["rslave", "shared"])
    assert found.propagation == [c.MS_SLAVE | c.MS_REC, c.MS_SHARED]


def test_words_for_whoever_mounts_never_reach_the_kernel() -> None:
    words = ["tmpcopyup", "copy-symlink", "src-nofollow", "dest-nofollow", "idmap=uids=0-1-1", "ridmap"]
    found = parse_options([*words, "idmapper", "size=1k"])
    assert found.ours == words
    assert found.data == "idmapper,size=1k"


def test_every_recursive_word_has_its_plain_one() -> None:
    assert {word.removeprefix("r") for word in RECURSIVE} <= FLAGS.keys()


def test_a_path_of_mountinfo_is_read_back() -> None:
    assert unescape("/plain/ä") == "/plain/ä"
    assert unescape("/a\\040b\\134c\\011") == "/a b\\c\t"
