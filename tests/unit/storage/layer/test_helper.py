"""The layer helper in a child with a user namespace, where anybody may change the root (user_namespaces(7))."""

import os
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from sampan.linux import syscalls
from sampan.storage.layer.helper import HELPERS
from support import children
from support.rootfs import add

CLONE_NEWUSER = 0x10000000
NOT_ALLOWED = 77


def archive(**files: bytes) -> bytes:
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            add(tar, name.replace("__", "/"), content, mode=0o644, uid=os.getuid(), gid=os.getgid())
    return out.getvalue()


def unpack(tmp_path: Path, content: bytes, **options: Any) -> tuple[int, bytes]:
    """Unpack into tmp_path/root in a child: its exit code and what it said of the result."""
    (tmp_path / "root").mkdir(exist_ok=True)
    (tmp_path / "layer.tar").write_bytes(content)
    layer = os.open(tmp_path / "layer.tar", os.O_RDONLY)
    read, write = os.pipe()

    def life() -> None:
        if os.getuid():
            try:
                _become_root()
            except OSError:
                os._exit(NOT_ALLOWED)
        result = HELPERS["unpack"]([layer], root=str(tmp_path / "root"), options=options)
        os.write(write, repr(result).encode())

    code = children.code_of(life)
    for fd in (write, layer):
        os.close(fd)
    said = os.read(read, 65536)
    os.close(read)
    if code == NOT_ALLOWED:
        pytest.skip("an ordinary user may not make a user namespace here")
    return code, said


def _become_root() -> None:
    uid, gid = os.getuid(), os.getgid()
    syscalls.unshare(CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def test_a_layer_is_unpacked_into_the_root_and_nowhere_else(tmp_path: Path) -> None:
    code, said = unpack(tmp_path, archive(hello=b"world", deep__er=b"down"), overlay=False)
    assert code == 0
    assert (tmp_path / "root/hello").read_bytes() == b"world"
    assert (tmp_path / "root/deep/er").read_bytes() == b"down"
    assert b"bytes" in said
    assert sorted(os.listdir(tmp_path)) == ["layer.tar", "root"]


def test_a_name_that_climbs_out_of_the_archive_stays_in_the_root(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"safe")
    unpack(tmp_path, archive(**{"..__..__victim": b"harm"}), overlay=False)
    assert (tmp_path / "victim").read_bytes() == b"safe"


def test_options_are_limits(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, _ = unpack(tmp_path, archive(big=b"x" * 1000), overlay=False, max_bytes=100)
    assert code == children.UNEXPECTED
    assert "InvalidArgument" in capfd.readouterr().err
