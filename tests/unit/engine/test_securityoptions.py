"""Security options mean what they mean to Docker, and are refused in its words."""

import pytest

from sampan.engine.securityoptions import SecurityOptions, parse, with_label
from sampan.errors import Internal


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("no-new-privileges", SecurityOptions(no_new_privileges=True)),
        ("no-new-privileges=true", SecurityOptions(no_new_privileges=True)),
        ("no-new-privileges:T", SecurityOptions(no_new_privileges=True)),
        ("no-new-privileges=0", SecurityOptions(no_new_privileges=False)),
        ("writable-cgroups", SecurityOptions(writable_cgroups=True)),
        ("writable-cgroups=false", SecurityOptions(writable_cgroups=False)),
        ("seccomp=unconfined", SecurityOptions(seccomp="unconfined")),
        ("seccomp:unconfined", SecurityOptions(seccomp="unconfined")),
        ('seccomp={"a":"b=c"}', SecurityOptions(seccomp='{"a":"b=c"}')),
        ("seccomp=", SecurityOptions()),
        ("apparmor=mine", SecurityOptions(apparmor="mine")),
        ("label=user:me", SecurityOptions(labels=("user:me",))),
        ("label:disable", SecurityOptions(labels=("disable",))),
        ("disable", SecurityOptions(labels=("disable",))),
    ],
)
def test_an_option_is_read(option: str, expected: SecurityOptions) -> None:
    assert parse([option]) == expected


@pytest.mark.parametrize(
    ("option", "stage"),
    [
        ("foo", 1),
        ("seccomp", 1),
        ("apparmor", 1),
        ("label", 1),
        ('a"b', 1),
        ("foo=bar", 2),
        ("foo:bar", 2),
        ("no-new-privileges=yes", 2),
        ("no-new-privileges=", 2),
        ("writable-cgroups=x", 2),
        ("systempaths=unconfined", 2),
    ],
)
def test_what_is_no_option_is_refused(option: str, stage: int) -> None:
    with pytest.raises(Internal) as caught:
        parse(["seccomp=unconfined", option])
    quoted = option.replace('"', '\\"')
    assert str(caught.value) == f'invalid --security-opt {stage}: "{quoted}"'


def test_later_options_win_and_labels_add_up() -> None:
    found = parse(["seccomp=unconfined", "label=a", "seccomp=builtin", "label=b"])
    assert (found.seccomp, found.labels) == ("builtin", ("a", "b"))
    assert parse(None) == parse([]) == SecurityOptions()


def test_sharing_with_the_host_disables_the_label() -> None:
    assert with_label(None, shares_with_host=True) == ["label=disable"]
    assert with_label(["seccomp=builtin"], shares_with_host=True) == ["seccomp=builtin", "label=disable"]
    assert with_label(["label:user:x"], shares_with_host=True) == ["label:user:x"]
    assert with_label(None, shares_with_host=False) is None
    assert with_label([], shares_with_host=False) == []
