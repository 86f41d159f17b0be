import re
from typing import Any

import pytest

from sampan.cli.create.mounts import parse_mount
from sampan.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("type=bind,src=/a,dst=/b,ro", {"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True}),
        ("source=v,target=/c", {"Type": "volume", "Source": "v", "Target": "/c"}),
        (
            "type=volume,src=v,dst=/c,volume-nocopy,volume-label=a=b,volume-driver=d,volume-opt=o=1",
            {
                "Type": "volume",
                "Source": "v",
                "Target": "/c",
                "VolumeOptions": {
                    "NoCopy": True,
                    "Labels": {"a": "b"},
                    "DriverConfig": {"Name": "d", "Options": {"o": "1"}},
                },
            },
        ),
        (
            "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770",
            {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o1770}},
        ),
        (
            "type=bind,src=/a,dst=/b,bind-propagation=RShared,bind-nonrecursive",
            {
                "Type": "bind",
                "Source": "/a",
                "Target": "/b",
                "BindOptions": {"Propagation": "rshared", "NonRecursive": True},
            },
        ),
        ('"type=bind","src=/a,b",dst=/c', {"Type": "bind", "Source": "/a,b", "Target": "/c"}),
        (
            "type=image,src=i,dst=/b,image-subpath=x",
            {"Type": "image", "Source": "i", "Target": "/b", "ImageOptions": {"Subpath": "x"}},
        ),
    ],
)
def test_a_mount_is_read(text: str, mount: dict[str, Any]) -> None:
    assert parse_mount(text) == mount


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo", "invalid field 'foo' must be a key=value pair"),
        ("type=bind,src=/x", "target is required"),
        ("type=bind,src=/x,dst=/y,volume-nocopy", "cannot mix 'volume-*' options with mount type 'bind'"),
        ("type=bind,src=/x,dst=/y,foo=1", "unexpected key 'foo' in 'foo=1'"),
        ("type=tmpfs,dst=/y,tmpfs-size=x", "invalid value for tmpfs-size: x"),
        ("type=bind,src=/x,dst=/y,ro=maybe", "invalid value for ro: maybe"),
        ('type=bind,src="/x', 'parse error on line 1, column 15: bare " in non-quoted-field'),
    ],
)
def test_a_bad_mount_is_refused_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^{re.escape(message)}$"):
        parse_mount(text)
