import os
import stat

import pytest

from sampan.errors import InvalidArgument
from sampan.storage.layer import whiteouts


def test_a_whiteout_names_what_it_hides() -> None:
    assert whiteouts.hidden_name(b".wh.passwd") == b"passwd"
    assert whiteouts.hidden_name(b".wh..hidden") == b".hidden"


@pytest.mark.parametrize("name", [b".wh.", b".wh..", b".wh..."])
def test_a_whiteout_of_the_directory_itself_or_its_parent_is_refused(name: bytes) -> None:
    with pytest.raises(InvalidArgument, match="invalid whiteout name"):
        whiteouts.hidden_name(name)


def test_only_a_character_device_without_numbers_is_a_whiteout() -> None:
    def status(mode: int, device: int) -> os.stat_result:
        return os.stat_result((mode, *[0] * 9), {"st_rdev": device})

    assert whiteouts.is_whiteout(status(stat.S_IFCHR, 0))
    assert not whiteouts.is_whiteout(status(stat.S_IFCHR, os.makedev(1, 3)))
    assert not whiteouts.is_whiteout(status(stat.S_IFBLK, 0))
    assert not whiteouts.is_whiteout(status(stat.S_IFREG, 0))
