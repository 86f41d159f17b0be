from sampan.linux import constants as c
from sampan.linux.mount import Mount, parse_options


def test_flag_words_become_flags_and_the_rest_is_for_the_file_system() -> None:
    found = parse_options(["nosuid", "ro", "size=64k", "mode=755"])
    assert found.flags == c.MS_NOSUID | c.MS_RDONLY
    assert found.data == "size=64k,mode=755"


def test_a_later_word_takes_an_earlier_one_back() -> None:
    assert parse_options(["ro", "noexec", "rw"]).flags == c.MS_NOEXEC


def test_recursive_words_and_propagation_are_kept_apart() -> None:
    found = parse_options(["rbind", "rro", "rslave"])
    assert (found.flags, found.set_recursive) == (c.MS_BIND | c.MS_REC, c.MOUNT_ATTR_RDONLY)
    assert found.propagation == c.MS_SLAVE | c.MS_REC


def test_our_own_words_never_reach_the_kernel() -> None:
    found = parse_options(["x-sampan.chdir=/a", "upperdir=b"])
    assert (found.ours, found.data) == (["x-sampan.chdir=/a"], "upperdir=b")


def test_bind_attributes_follow_the_flags() -> None:
    found = parse_options(["ro", "nodev", "noatime"]).bind_attributes
    assert found == c.MOUNT_ATTR_RDONLY | c.MOUNT_ATTR_NODEV | c.MOUNT_ATTR_NOATIME


def test_mounts_with_equal_fields_are_equal() -> None:
    assert Mount("bind", "/a", "/b", ["ro"]) == Mount("bind", "/a", "/b", ["ro"])
    assert Mount("bind", "/a", "/b", ["ro"]) != Mount("bind", "/a", "/b", [])
