import json

import pytest

from sampan import errors
from sampan.api.wire.gojson import decode, encode
from sampan.api.wire.mount import BindOptions, Mount, MountPoint, TmpfsOptions, VolumeDriver, VolumeOptions


def test_only_what_was_asked_for_is_written() -> None:
    assert encode(Mount(type="tmpfs", target="/t")) == b'{"Type":"tmpfs","Target":"/t"}'
    volume = VolumeOptions(no_copy=True, labels={"a": "b"}, driver_config=VolumeDriver(name="local"))
    assert json.loads(encode(Mount(type="volume", volume_options=volume))) == {
        "Type": "volume",
        "VolumeOptions": {"NoCopy": True, "Labels": {"a": "b"}, "DriverConfig": {"Name": "local"}},
    }


def test_options_are_read_and_null_is_none() -> None:
    body = (
        b'{"Type":"bind","Source":"/a","Target":"/b","ReadOnly":null,"BindOptions":{"Propagation":"rshared",'
        b'"NonRecursive":true,"CreateMountpoint":null},"VolumeOptions":null}'
    )
    found = decode(body, Mount)
    assert found.bind_options == BindOptions(propagation="rshared", non_recursive=True)
    assert (found.volume_options, found.read_only) == (None, False)
    tmpfs = decode(b'{"TmpfsOptions":{"SizeBytes":5,"Mode":1023,"Options":[["noexec"]]}}', Mount).tmpfs_options
    assert tmpfs == TmpfsOptions(size_bytes=5, mode=0o1777, options=[["noexec"]])


def test_an_option_that_nobody_knows_is_refused() -> None:
    with pytest.raises(errors.InvalidArgument, match='unknown field "Recursive"'):
        decode(b'{"BindOptions":{"Recursive":true}}', Mount)


def test_a_mount_of_an_inspect_always_says_whether_it_can_be_written() -> None:
    written = json.loads(encode(MountPoint(type="bind", source="/a", destination="/b")))
    assert written == {"Type": "bind", "Source": "/a", "Destination": "/b", "Mode": "", "RW": False, "Propagation": ""}
