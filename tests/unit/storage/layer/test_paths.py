import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.errors import InvalidArgument
from sampan.storage.layer.paths import clean_hard_link, clean_name, parent_of

PARTS = st.sampled_from([b"", b".", b"..", b"a", b".b", b"..c", b"d."])


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (b"a/b", b"a/b"),
        (b"./a/b", b"a/b"),
        (b"/etc/passwd", b"etc/passwd"),
        (b"a//b/./c/", b"a/b/c"),
        (b"a/../b", b"b"),
        (b"etc/.pwd.lock", b"etc/.pwd.lock"),
        (b"..a", b"..a"),
        (b".", b""),
        (b"./", b""),
        (b"/", b""),
        (b"", b""),
    ],
)
def test_a_name_becomes_a_path_below_the_root(name: bytes, path: bytes) -> None:
    assert clean_name(name) == path


@pytest.mark.parametrize("name", [b"..", b"../f", b"a/../../f", b"/../g", b"./../g"])
def test_a_name_that_leads_out_is_refused_in_dockers_words(name: bytes) -> None:
    with pytest.raises(InvalidArgument) as refused:
        clean_name(name)
    assert str(refused.value) == f'invalid entry name "{name.decode()}"'


def test_a_hard_link_that_leads_out_is_refused_in_dockers_words() -> None:
    with pytest.raises(InvalidArgument) as refused:
        clean_hard_link(b"../../etc/hostname")
    assert str(refused.value) == 'invalid hardlink target "../../etc/hostname"'
    assert clean_hard_link(b"/a/./b") == b"a/b"


@given(st.lists(PARTS, max_size=8))
def test_cleaning_agrees_with_posixpath(parts: list[bytes]) -> None:
    name = b"/".join(parts)
    normal = posixpath.normpath(b"./" + name)
    if normal == b".." or normal.startswith(b"../"):
        with pytest.raises(InvalidArgument):
            clean_name(name)
    else:
        assert clean_name(name) == (b"" if normal == b"." else normal)


def test_the_parent_of_a_path_in_the_root_is_the_root() -> None:
    assert parent_of(b"a/b/c") == b"a/b"
    assert parent_of(b"a") == b""
