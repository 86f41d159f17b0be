"""--security-opt is read as docker's command line reads it."""

from pathlib import Path
from typing import Any

import pytest

from sampan.cli.create.security import fields
from sampan.errors import InvalidArgument


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {}),
        (["seccomp=unconfined", "apparmor=x"], {"SecurityOpt": ["seccomp=unconfined", "apparmor=x"]}),
        (["no-new-privileges"], {"SecurityOpt": ["no-new-privileges"]}),
        (["no-new-privileges:"], {"SecurityOpt": ["no-new-privileges:"]}),
        (["seccomp=builtin"], {"SecurityOpt": ["seccomp=builtin"]}),
        (["systempaths=unconfined"], {"MaskedPaths": [], "ReadonlyPaths": []}),
        (
            ["systempaths=unconfined", "label:disable"],
            {"MaskedPaths": [], "ReadonlyPaths": [], "SecurityOpt": ["label:disable"]},
        ),
    ],
)
def test_options_become_fields(options: list[str], expected: dict[str, Any]) -> None:
    assert fields(options) == expected


@pytest.mark.parametrize("separator", "=:")
def test_a_profile_is_sent_as_it_is_but_for_blanks(tmp_path: Path, separator: str) -> None:
    (tmp_path / "p").write_text('{ "defaultAction":\n "SCMP_ACT_ALLOW", "x": [1.50, "\\u00e9"] }')
    found = fields([f"seccomp{separator}{tmp_path}/p"])["SecurityOpt"]
    assert found == ['seccomp={"defaultAction":"SCMP_ACT_ALLOW","x":[1.50,"\\u00e9"]}']


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("foo", 'Invalid --security-opt: "foo"'),
        ("foo=", 'Invalid --security-opt: "foo="'),
        ("seccomp=", 'Invalid --security-opt: "seccomp="'),
        ("seccomp", 'Invalid --security-opt: "seccomp"'),
        ("seccomp=/no/p", "opening seccomp profile (/no/p) failed: open /no/p: no such file or directory"),
        ("seccomp=/", "opening seccomp profile (/) failed: read /: is a directory"),
    ],
)
def test_what_cannot_be_sent_is_refused(option: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        fields([option])
    assert str(caught.value) == message


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("{bad")
    with pytest.raises(InvalidArgument) as caught:
        fields([f"seccomp={tmp_path}/p"])
    assert str(caught.value) == (
        f"compacting json for seccomp profile ({tmp_path}/p) failed: "
        "invalid character 'b' looking for beginning of object key string"
    )
