"""What an image or a container puts in the way of a copy: CVE-2018-15664, and archives that lead out."""

import contextlib
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import evilimage, naive, rootfs
from support.api import Refused
from support.attacks import SECRET, Arena, Outside
from support.loopdevice import loop_device

STARTS = 15
LOOK = ["sh", "-c", "find /data /vol -type f -exec cat {} + 2>/dev/null; true"]


@pytest.mark.parametrize("way", ["absolute", "dots", "by_proc"])
def test_a_volume_is_not_filled_through_a_link(arena: Arena, outside: Outside, way: str) -> None:
    """A new volume is filled with what the image has at its place, and the image has a link there: to a folder of
    the host, by its path, by dots, by /proc/1/root."""
    up = {"absolute": "", "dots": "../" * 12 + ".", "by_proc": "/proc/1/root"}[way]
    with arena.imported("smpx-link:1", evilimage.with_links({"data": f"{up}{outside.folder}"})) as image:
        assert SECRET not in arena.try_start(*LOOK, image=image, Volumes={"/data": {}, "/vol": {}})
    assert os.listdir(outside.folder) == ["secret"]


def test_a_naive_copy_follows_it(outside: Outside) -> None:
    """The same image, and a copy that joins paths."""
    with naive.extracted(evilimage.with_links({"data": outside.folder})) as root:
        naive.copy(root, "/data", f"{root}/volume")
        with open(f"{root}/volume/secret") as file:
            assert file.read() == SECRET


def exchangeable(outside: Outside) -> str:
    """A volume with a directory, and a link to a folder of the host that has a secret."""
    shared, elsewhere = outside.make("shared"), outside.make("elsewhere")
    os.mkdir(f"{shared}/here")
    os.symlink(elsewhere, f"{shared}/there")
    for path, text in ((f"{shared}/here/file", "of the volume"), (f"{elsewhere}/secret", SECRET)):
        with open(path, "w") as file:
            file.write(text)
    return shared


@pytest.mark.needs_sampand
def test_nor_through_one_that_was_exchanged(arena: Arena, sabotaged: Callable[..., Arena], outside: Outside) -> None:
    """CVE-2018-15664: the place lies in a volume that is shared with a container, which exchanges the directory for a
    link to a folder of the host while it is copied."""
    shared = exchangeable(outside)
    for target in (arena, sabotaged("step-pauses")):
        with target.exchanging(shared, "here", "there"):
            for _ in range(STARTS):
                # An anonymous volume, so a new one each time, within the shared one.
                printed = target.try_start(
                    "sh", "-c", "cat /vol/here/*", host={"Binds": [f"{shared}:/vol"]}, Volumes={"/vol/here": {}}
                )
                assert SECRET not in printed


def test_a_naive_copy_does_it(arena: Arena, outside: Outside, tmp_path: Path) -> None:
    """The same attack on a copy that checks a joined path, and uses it."""
    shared = exchangeable(outside)

    def try_once() -> bool:
        with contextlib.suppress(OSError):
            naive.copy(shared, "/here/.", f"{tmp_path}/volume")
        return os.path.exists(f"{tmp_path}/volume/secret")

    with arena.exchanging(shared, "here", "there"):
        assert naive.sooner_or_later(try_once)


@pytest.fixture
def with_device(outside: Outside) -> Iterator[str]:
    """A volume with a file, and a node of a disk of the host to exchange it for."""
    shared = exchangeable(outside)
    with loop_device(f"{outside.folder}/disk", SECRET.encode()) as numbers:
        os.mknod(f"{shared}/here/node", 0o60600, os.makedev(*numbers))
        yield shared


@pytest.mark.needs_sampand
def test_nor_is_a_disk_copied(arena: Arena, sabotaged: Callable[..., Arena], with_device: str) -> None:
    """The same, with a file that is exchanged for a device node between the look at it and its use: who copies has
    the privileges to read the disk."""
    for target in (arena, sabotaged("step-pauses")):
        with target.exchanging(f"{with_device}/here", "file", "node"):
            for _ in range(STARTS):
                # Nothing but the new volume may be read: in the shared one, nodes can be made by everybody.
                volumes, binds = {"/vol/here": {}}, {"Binds": [f"{with_device}:/vol"]}
                look = ["sh", "-c", "for f in /vol/here/*; do test -f $f && cat $f; done; true"]
                assert SECRET not in target.try_start(*look, host=binds, Volumes=volumes)


def test_a_naive_copy_reads_it(arena: Arena, with_device: str, tmp_path: Path) -> None:
    """The same attack on a copy that looks, and then opens."""

    def try_once() -> bool:
        with contextlib.suppress(OSError):
            naive.copy(with_device, "/here/.", f"{tmp_path}/volume")
        with contextlib.suppress(OSError), open(f"{tmp_path}/volume/file") as file:
            return SECRET in file.read()
        return False

    with arena.exchanging(f"{with_device}/here", "file", "node"):
        assert naive.sooner_or_later(try_once)


def hostile_archive(outside: Outside) -> bytes:
    """A layer that tries to write outside of its folder, and to link what is there into it."""
    out = io.BytesIO(rootfs.busybox())
    with tarfile.open(fileobj=out, mode="a") as tar:
        rootfs.add(tar, "way", type=tarfile.SYMTYPE, linkname=outside.folder)
        rootfs.add(tar, "way/by-link", b"x")
        rootfs.add(tar, "up", type=tarfile.SYMTYPE, linkname="../" * 12 + outside.folder[1:])
        rootfs.add(tar, "up/by-dots-in-a-link", b"x")
        rootfs.add(tar, "../" * 12 + f"{outside.folder[1:]}/by-dots", b"x")
        rootfs.add(tar, f"{outside.folder}/by-name", b"x")
        rootfs.add(tar, "stolen", type=tarfile.LNKTYPE, linkname=outside.secret_path)
        rootfs.add(tar, "stolen2", type=tarfile.LNKTYPE, linkname="way/secret")
        rootfs.add(tar, "way/.wh.secret", b"")
        rootfs.add(tar, "way/.wh..wh..opq", b"")
    return out.getvalue()


def members_one_by_one(content: bytes) -> list[bytes]:
    """The archive, and archives that have each of its last members alone: one is refused without the others."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        hostile = tar.getmembers()[-10:]
        links = [member for member in hostile if member.issym()]
        found = [content]
        for member in hostile:
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w") as single:
                for each in [*links, member]:
                    single.addfile(each, tar.extractfile(each) if each.isreg() else None)
            found.append(out.getvalue())
    return found


def is_untouched(outside: Outside) -> bool:
    """Whether the folder of the host is as it was."""
    return os.listdir(outside.folder) == ["secret"] and os.stat(outside.secret_path).st_nlink == 1


def test_a_layer_stays_in_its_folder(arena: Arena, outside: Outside) -> None:
    """Archive members with dots, absolute names and links leading out; a hard link to a file of the host; whiteouts
    behind a link."""
    for number, content in enumerate(members_one_by_one(hostile_archive(outside))):
        try:
            with arena.imported(f"smpx-hostile:{number}", content):
                assert is_untouched(outside), number
        except Refused:
            assert is_untouched(outside), number


def test_a_naive_extraction_does_not(outside: Outside) -> None:
    """The same archive, extracted as it says."""
    with naive.extracted(rootfs.tar_of({})) as folder:
        naive.unpack(hostile_archive(outside), folder)
        assert not is_untouched(outside)
