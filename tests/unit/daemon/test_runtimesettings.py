import pytest

from sampan.daemon.runtimesettings import from_file, from_flags
from sampan.engine.runtimes import Runtime
from sampan.errors import InvalidArgument


def test_flags_name_programs() -> None:
    found = from_flags(["crun=/usr/bin/crun", "runc=runc", "io.containerd.x=y=z"])
    assert found == {"crun": Runtime("/usr/bin/crun"), "runc": Runtime("runc"), "io.containerd.x": Runtime("y=z")}


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["foo"], 'invalid argument "foo" for "--add-runtime" flag: invalid runtime argument: foo'),
        (["foo="], "invalid runtime argument: foo="),
        (["=x"], "invalid runtime argument: =x"),
        (["sampan=/x"], "runtime name 'sampan' is reserved"),
        (["a=/x", "a=/y"], 'invalid argument "a=/y" for "--add-runtime" flag: runtime \'a\' was already defined'),
        (["a b=/x"], "invalid runtime name 'a b'"),
    ],
)
def test_wrong_flags_are_refused_in_dockers_words(texts: list[str], reason: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        from_flags(texts)
    assert str(caught.value).endswith(reason)


def test_the_file_has_arguments_and_dockers_other_way_to_name_a_program() -> None:
    shim = {"runtimeType": "io.containerd.runc.v2", "options": {"BinaryName": "/usr/bin/crun"}}
    found = from_file({"a": {"path": "/a", "runtimeArgs": ["--debug"]}, "b": shim})
    assert found == {"a": Runtime("/a", ("--debug",)), "b": Runtime("/usr/bin/crun")}


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({}, "either a runtimeType or a path must be configured"),
        ([], "expected an object, got []"),
        ({"path": 1}, "path: cannot be 1"),
        ({"path": "/a", "bogus": "x"}, 'bogus: cannot be "x"'),
        ({"path": "/a", "runtimeArgs": [1]}, "runtimeArgs: expected a list of strings, got [1]"),
        ({"path": "/a", "runtimeType": "b"}, "cannot configure both path and runtimeType for the same runtime"),
        ({"path": "/a", "options": {"x": 1}}, "options cannot be used with a path runtime"),
        ({"runtimeType": "b", "runtimeArgs": ["x"]}, "args cannot be used with a runtimeType runtime"),
        ({"runtimeType": "io.containerd.kata.v2"}, "of runtimeType, only io.containerd.runc.v2 with the option"),
        ({"runtimeType": "io.containerd.runc.v2", "options": {"BinaryName": "x", "Root": "y"}}, "of runtimeType, only"),
    ],
)
def test_wrong_settings_are_refused(setting: object, reason: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        from_file({"a": setting})
    assert str(caught.value).startswith(f"runtime a: {reason}")


def test_our_own_name_is_taken() -> None:
    with pytest.raises(InvalidArgument, match="runtime name 'sampan' is reserved"):
        from_file({"sampan": {"path": "/x"}})
