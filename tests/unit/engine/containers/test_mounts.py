"""The texts are those of Docker 28.5 for the same requests."""

from pathlib import Path
from typing import Any

import pytest

from sampan.api.wire.host import HostConfig
from sampan.api.wire.mount import BindOptions, Mount, TmpfsOptions, VolumeOptions
from sampan.engine.containers.mounts import Wish, wishes
from sampan.errors import InvalidArgument

BIND = 'invalid mount config for type "bind": '
VOLUME = 'invalid mount config for type "volume": '
NAME_RULE = (
    'includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. '
    "If you intended to pass a host directory, use absolute path"
)


def of(**host: Any) -> list[Wish]:
    return wishes(HostConfig(**host), [], [])


def test_v_with_an_absolute_source_is_a_bind() -> None:
    (wish,) = of(binds=["/host/../src:/dst/:ro,z,rslave"])
    assert (wish.type, wish.source, wish.destination, wish.mode) == ("bind", "/src", "/dst", "ro,z,rslave")
    assert (wish.read_write, wish.propagation, wish.create_source, wish.copy_up) == (False, "rslave", True, False)


def test_v_with_a_name_is_a_volume() -> None:
    named, anonymous, plain = of(binds=["name:/a:nocopy", "/b", "/c:ro"])
    assert (named.type, named.name, named.mode, named.copy_up) == ("volume", "name", "nocopy", False)
    assert (anonymous.type, anonymous.name, anonymous.destination, anonymous.copy_up) == ("volume", "", "/b", True)
    assert (plain.destination, plain.read_write) == ("/c", False)


@pytest.mark.parametrize(
    ("bind", "message"),
    [
        (
            "/nosuch/a:b",
            f"invalid volume specification: '/nosuch/a:b': {BIND}invalid mount path: 'b' mount path must be absolute",
        ),
        ("a", f"invalid volume specification: 'a': {VOLUME}invalid mount path: 'a' mount path must be absolute"),
        ("/a:/b:zzz", "invalid mode: zzz"),
        ("/a:/b:ro,rw", "invalid mode: ro,rw"),
        ("/a:/b:nocopy", "invalid mode: nocopy"),
        ("x:/", f"invalid volume specification: 'x:/': {VOLUME}invalid specification: destination can't be '/'"),
        ("./x:/a", f'create ./x: "./x" {NAME_RULE}'),
        ("/a:/b:c:d", "invalid volume specification: '/a:/b:c:d'"),
        ("a!:/b", f'create a!: "a!" {NAME_RULE}'),
    ],
)
def test_a_wrong_v_is_refused_in_dockers_words(bind: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        of(binds=[bind])
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        (Mount(type="bind", source="/nosuchsrc", target="/t"), BIND + "bind source path does not exist: /nosuchsrc"),
        (Mount(type="bind", target="/t"), BIND + "field Source must not be empty"),
        (
            Mount(type="bind", source="x", target="/t"),
            BIND + "invalid mount path: 'x' mount path must be absolute",
        ),
        (Mount(type="volume"), VOLUME + "field Target must not be empty"),
        (Mount(type="volume", source="/abs", target="/t"), f'create /abs: "/abs" {NAME_RULE}'),
        (
            Mount(type="tmpfs", source="x", target="/t"),
            'invalid mount config for type "tmpfs": field Source must not be specified',
        ),
        (Mount(type="foo", target="/t"), 'invalid mount config for type "foo": mount type unknown'),
        (
            Mount(type="volume", source="xy", target="rel"),
            VOLUME + "invalid mount path: 'rel' mount path must be absolute",
        ),
        (
            Mount(type="volume", source="xy", target="/t", bind_options=BindOptions()),
            VOLUME + "field BindOptions must not be specified",
        ),
    ],
)
def test_a_wrong_mount_is_refused_in_dockers_words(mount: Mount, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        of(mounts=[mount])
    assert str(caught.value) == message


def test_mounts_carry_their_options(tmp_path: Path) -> None:
    bind, volume, tmpfs = of(
        mounts=[
            Mount(
                type="bind",
                source=str(tmp_path),
                target="/b",
                read_only=True,
                bind_options=BindOptions(propagation="shared", non_recursive=True),
            ),
            Mount(
                type="volume", source="vol", target="/v", volume_options=VolumeOptions(no_copy=True, labels={"a": ""})
            ),
            Mount(type="tmpfs", target="/t", tmpfs_options=TmpfsOptions(size_bytes=4096, mode=0o1777)),
        ]
    )
    assert (bind.propagation, bind.recursive, bind.read_write, bind.create_source) == ("shared", False, False, False)
    assert (volume.name, volume.copy_up, volume.labels) == ("vol", False, {"a": ""})
    assert tmpfs.options == ["size=4096", "mode=1777"]


def test_a_destination_is_taken_once() -> None:
    with pytest.raises(InvalidArgument, match="Duplicate mount point: /b"):
        of(binds=["/a:/b", "/c:/b/"])
    with pytest.raises(InvalidArgument, match="Duplicate mount point: /b"):
        of(binds=["/a:/b"], tmpfs={"/b": ""})
    with pytest.raises(InvalidArgument, match="'rel' mount path must be absolute"):
        of(tmpfs={"rel": ""})


def test_an_images_volume_gives_way_to_everything_else() -> None:
    inherited = Wish(type="bind", destination="/x", source="/other")
    found = wishes(HostConfig(binds=["/a:/b"], tmpfs={"/c": ""}), ["/b", "/c", "d", "/x"], [inherited])
    assert {wish.destination: wish.source for wish in found} == {"/x": "/other", "/b": "/a", "/d": ""}
