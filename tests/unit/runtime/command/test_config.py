import copy
import os
from typing import Any

import pytest

from sampan.errors import InvalidArgument, NotFound
from sampan.runtime.command import config

SPEC: dict[str, Any] = {
    "ociVersion": "1.2.1",
    "root": {"path": "rootfs"},
    "process": {"cwd": "/", "args": ["sh"], "user": {"uid": 0, "gid": 0}},
}
MAP = [{"containerID": 0, "hostID": 1000, "size": 1}]


def changed(path: str, value: Any) -> dict[str, Any]:
    spec: Any = copy.deepcopy(SPEC)
    *groups, key = path.split(".")
    inner = spec
    for group in groups:
        inner = inner.setdefault(group, {})
    if value is None:
        inner.pop(key, None)
    else:
        inner[key] = value
    return dict(spec)


def test_a_config_is_read_from_its_bundle(tmp_path: Any) -> None:
    (tmp_path / "config.json").write_text('{"ociVersion": "1.0.0", "x": "\\u00e9"}\n')
    assert config.load(str(tmp_path)) == {"ociVersion": "1.0.0", "x": "é"}
    (tmp_path / "other").write_text("{}")
    assert config.load(str(tmp_path), name="other") == {}
    assert config.load("/nowhere", name=f"{tmp_path}/other") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [("{ invalid json }", "cannot parse"), ("null", "config cannot be null"), ("[]", "no JSON object")],
)
def test_what_is_no_config_is_refused(tmp_path: Any, text: str, message: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InvalidArgument, match=message):
        config.load(str(tmp_path))


def test_a_missing_config_is_named(tmp_path: Any) -> None:
    with pytest.raises(NotFound, match=r"JSON specification file .*config.json not found"):
        config.load(str(tmp_path))


def test_a_small_config_is_good(bundle: str) -> None:
    assert config.validate(SPEC, bundle) == []


@pytest.mark.parametrize("version", ["1.0.0", "1.0.2-dev", "1.2.1", "1.3.0+dev", "1.1.0-rc.1"])
def test_all_of_version_one_is_accepted(bundle: str, version: str) -> None:
    assert config.validate(changed("ociVersion", version), bundle) == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("ociVersion", None, "ociVersion must be specified"),
        ("ociVersion", "2.0.0", "unsupported ociVersion"),
        ("ociVersion", "one", "no SemVer"),
        ("root", None, "root must be specified"),
        ("root.path", "", "root must be specified"),
        ("root.path", "elsewhere", "invalid rootfs: stat .*elsewhere: no such file or directory"),
        ("process.cwd", "", "Cwd property must not be empty"),
        ("process.cwd", "tmp", "Cwd must be an absolute path"),
        ("process.args", [], "args must not be empty"),
        ("process.args", ["a\0"], "null byte"),
        ("process.args", [None], "no text"),
        ("process.args", 7, "invalid config.json"),
        ("process.env", ["A=\0"], "null byte"),
        ("process.user.uid", -1, "invalid process.user.uid: -1"),
        ("process.user.additionalGids", [1 << 32], "additionalGids"),
        ("process.oomScoreAdj", 9999, "invalid oomScoreAdj"),
        ("process.rlimits", [{"type": "RLIMIT_INVALID_TYPE"}], "wrong rlimit value: RLIMIT_INVALID_TYPE"),
        ("process.rlimits", [{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}] * 2, "duplicate rlimit"),
        ("process.rlimits", [{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}], "above the hard one"),
        ("process.rlimits", [{"type": "RLIMIT_CPU", "soft": -1, "hard": 1}], "invalid rlimit"),
        ("mounts", [{"type": "proc"}], "no destination"),
        ("mounts", [{"destination": "/a", "type": "bind"}], "needs a source"),
        (
            "mounts",
            [{"destination": "/a", "source": "/b", "options": ["rbind"], "uidMappings": MAP}],
            "both uid and gid",
        ),
        ("mounts", [{"destination": "/a", "type": "tmpfs", "uidMappings": MAP}], "only supported for bind-mounts"),
        ("mounts", [{"destination": "/a\0"}], "null byte"),
        ("hooks", {"poststop": [{"path": "bin/true"}]}, "invalid poststop hook"),
        ("hooks", {"prestart": [{"path": "/bin/true", "timeout": 0}]}, "not greater than zero"),
        ("hooks", {"createRuntime": [{"path": "/bin/true", "env": ["\0"]}]}, "null byte"),
        ("annotations", {"": "x"}, "a key is empty"),
        ("annotations", {"x": 1}, "no text"),
    ],
)
def test_what_cannot_be_meant_is_refused(bundle: str, path: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        config.validate(changed(path, value), bundle)


def test_idmapped_mounts_are_not_for_users_without_rights(bundle: str) -> None:
    mount = {"destination": "/a", "source": "/b", "type": "bind", "uidMappings": MAP, "gidMappings": MAP}
    assert config.validate(changed("mounts", [mount]), bundle) == []
    with pytest.raises(InvalidArgument, match="rootless"):
        config.validate(changed("mounts", [mount]), bundle, rootless=True)


def test_a_container_may_be_created_without_a_process(bundle: str) -> None:
    assert config.validate(changed("process", None), bundle) == []
    with pytest.raises(InvalidArgument, match="process property must not be empty"):
        config.validate_process({})


def test_what_is_to_be_tolerated_is_a_warning(bundle: str) -> None:
    spec = changed("process.capabilities", {"bounding": ["CAP_KILL", "CAP_FLY"], "ambient": ["CAP_FLY"]})
    spec["mounts"] = [{"destination": "proc", "type": "proc"}]
    assert config.validate(spec, bundle) == [
        "ignoring unknown or unavailable capabilities: CAP_FLY",
        "mount destination proc is not absolute; it is taken as relative to /",
    ]


def test_a_root_must_be_a_directory(bundle: str) -> None:
    os.rmdir(f"{bundle}/rootfs")
    with open(f"{bundle}/rootfs", "w"), pytest.raises(InvalidArgument, match="is no directory"):
        config.validate(SPEC, bundle)
