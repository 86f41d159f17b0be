import pytest

from sampan.runtime.identity import IdentityError, resolve

PASSWD = "root:x:0:0:root:/root:/bin/sh\n# nobody\n\nbob:x:1000:1001:Bob:/home/bob:/bin/sh\nbroken\nlow:x:7:8\n"
GROUP = "root:x:0:\nstaff:x:50:bob,root\nwheel:x:10:alice,bob\naudio:x:29:\n"


def found(text: str, groups: list[str] | None = None) -> tuple[int, int, list[int], str]:
    who = resolve(text, groups or [], PASSWD, GROUP)
    return who.uid, who.gid, who.groups, who.home


def test_nothing_is_root_with_roots_groups() -> None:
    assert found("") == (0, 0, [0, 50], "/root")


def test_a_name_brings_its_group_home_and_supplementary_groups() -> None:
    assert found("bob") == (1000, 1001, [1001, 50, 10], "/home/bob")


def test_a_number_with_an_entry_is_that_user() -> None:
    assert found("1000") == (1000, 1001, [1001, 50, 10], "/home/bob")


def test_a_number_without_an_entry_has_group_zero() -> None:
    assert found("4242") == (4242, 0, [0], "/")


def test_an_explicit_group_takes_the_place_of_the_supplementary_ones() -> None:
    assert found("bob:audio") == (1000, 29, [29], "/home/bob")
    assert found("bob:77") == (1000, 77, [77], "/home/bob")


def test_further_groups_are_added() -> None:
    assert found("bob:audio", ["wheel", "99"]) == (1000, 29, [29, 10, 99], "/home/bob")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nosuch", "unable to find user nosuch: no matching entries in passwd file"),
        ("bob:nosuch", "unable to find group nosuch: no matching entries in group file"),
        ("99999999999", "uids and gids must be in range 0-2147483647"),
    ],
)
def test_what_the_root_does_not_know_is_an_error_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(IdentityError) as caught:
        found(text)
    assert str(caught.value) == message


def test_an_unknown_further_group_is_an_error() -> None:
    with pytest.raises(IdentityError, match="Unable to find group nosuch"):
        found("bob", ["nosuch"])


def test_a_short_row_is_still_a_user() -> None:
    assert found("low") == (7, 8, [8], "/")
