"""Layers applied as the engine applies them: by root, in a forked child whose root is the snapshot."""

import fcntl
import io
import os
import random
import stat
import struct
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.storage.layer import diff
from sampan.storage.layer.apply import apply_layer
from sampan.storage.layer.tarformat import Entry, encode_entry, padding_bytes

pytestmark = pytest.mark.needs_root

# A capability as setcap(8) writes it: version 2, effective, CAP_NET_BIND_SERVICE.
CAPABILITY = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)

type_names = {"reg": b"0", "link": b"1", "sym": b"2", "chr": b"3", "blk": b"4", "dir": b"5", "fifo": b"6"}


def entry(name: str, kind: str, content: bytes = b"", **fields: object) -> bytes:
    """One entry's bytes."""
    header = Entry(name.encode(), type_names[kind], size=len(content), **fields)  # type: ignore[arg-type]
    return encode_entry(header) + content + bytes(padding_bytes(len(content)))


def apply_to(root: Path, archive: bytes, *, overlay: bool = True) -> str:
    """Applies an archive, through a pipe, in a child chrooted to `root`; its error message, or ""."""
    read_fd, write_fd = os.pipe()
    answer_read, answer_write = os.pipe()
    fcntl.fcntl(write_fd, fcntl.F_SETPIPE_SZ, 1 << 20)
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.close(write_fd)
            os.chroot(root)
            os.chdir("/")
            apply_layer(read_fd, overlay=overlay)
            code = 0
        except BaseException as error:  # the child's edge
            os.write(answer_write, f"{type(error).__name__}: {error}".encode()[:4000])
        finally:
            os._exit(code)
    os.close(read_fd)
    os.close(answer_write)
    try:
        with open(write_fd, "wb") as pipe:
            pipe.write(archive)
    except BrokenPipeError:
        pass
    with open(answer_read, "rb") as answer:
        message = answer.read().decode()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == (1 if message else 0)
    return message


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty snapshot."""
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A directory beside the snapshot in which nothing may change."""
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "file").write_bytes(b"safe")
    before = describe(directory)
    yield directory
    assert describe(directory) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside", "root"]


def describe(root: Path) -> dict[str, tuple[object, ...]]:
    """All there is to say about a tree."""
    found: dict[str, tuple[object, ...]] = {}
    inodes: dict[int, str] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        name = str(path.relative_to(root))
        attributes = {
            key: os.getxattr(path, key, follow_symlinks=False) for key in os.listxattr(path, follow_symlinks=False)
        }
        content: object = None
        if path.is_symlink():
            content = os.readlink(path)
        elif stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        first = name if path.is_dir() and not path.is_symlink() else inodes.setdefault(status.st_ino, name)
        found[name] = (
            status.st_mode,
            status.st_uid,
            status.st_gid,
            status.st_rdev,
            status.st_mtime_ns,
            attributes,
            content,
            first,
        )
    return found


def plant(root: Path) -> None:
    """A tree with all that a layer can hold."""
    (root / "bin").mkdir()
    (root / "bin/ping").write_bytes(os.urandom(300_000))
    os.setxattr(root / "bin/ping", "security.capability", CAPABILITY)
    (root / "bin/su").write_bytes(b"su")
    os.chown(root / "bin/su", 0, 5)
    os.chmod(root / "bin/su", 0o6755)
    (root / "bin/sh").symlink_to("/bin/su")
    os.lchown(root / "bin/sh", 7, 8)
    os.link(root / "bin/su", root / "bin/su2")
    (root / "bin" / ("long" * 50)).write_bytes(b"")
    (root / "srv").mkdir()
    os.chown(root / "srv", 1000, 2**31)
    os.chmod(root / "srv", 0o3770)
    (root / "srv/inherits").touch()
    os.setxattr(root / "srv", "user.note", b"\0\xff\n=")
    os.setxattr(root / "bin/sh", "trusted.note", b"1", follow_symlinks=False)
    os.mknod(root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(root / "disk", stat.S_IFBLK | 0o660, os.makedev(259, 70_000))
    os.mkfifo(root / "fifo", 0o622)
    (root / "née \n x").write_bytes(b"odd name")
    (root / "deep" / "/".join("d" * 60)).mkdir(parents=True)
    for number, path in enumerate(sorted(root.rglob("*"), reverse=True)):
        os.utime(path, ns=(0, 1_600_000_000_123_456_789 + number), follow_symlinks=False)


def test_a_tree_comes_back_from_its_own_changeset(tmp_path: Path, root: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    plant(source)
    assert apply_to(root, b"".join(diff.changeset(str(source)))) == ""
    assert describe(root) == describe(source)


@pytest.mark.parametrize("format", ["gnu", "pax"])
def test_a_tree_comes_back_from_gnu_tar(tmp_path: Path, root: Path, format: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    plant(source)
    if format == "gnu":  # which knows neither attributes nor fractions of seconds
        for path in source.rglob("*"):
            for name in os.listxattr(path, follow_symlinks=False):
                os.removexattr(path, name, follow_symlinks=False)
            os.utime(path, (0, 1_600_000_000), follow_symlinks=False)
    command = ["tar", "-c", f"--format={format}", "--numeric-owner", "-C", str(source), "."]
    if format == "pax":
        command[2:2] = ["--xattrs", "--xattrs-include=*"]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    assert apply_to(root, archive) == ""
    assert describe(root) == describe(source)


def test_gnu_tar_reads_our_changesets(tmp_path: Path, root: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    plant(source)
    archive = b"".join(diff.changeset(str(source)))
    command = ["tar", "-x", "-p", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-C", str(root)]
    subprocess.run(command, input=archive, check=True)
    assert describe(root) == describe(source)


@pytest.mark.parametrize("seed", range(12))
def test_random_layers_survive_the_round_trip(tmp_path: Path, root: Path, seed: int) -> None:
    random.seed(seed)
    names = ["a", "b", "a/b", "a/c", "b/a", "b/a/c", "d/e/f", "d"]
    parts = []
    for _ in range(30):
        name, kind = random.choice(names), random.choice(["reg", "dir", "sym", "whiteout", "opaque"])
        if kind == "whiteout":
            head, _, tail = name.rpartition("/")
            parts.append(entry(f"{head}/.wh.{tail}", "reg"))
        elif kind == "opaque":
            parts.append(entry(name + "/.wh..wh..opq", "reg"))
        else:
            content = os.urandom(random.choice([0, 5, 5000])) if kind == "reg" else b""
            parts.append(entry(name, kind, content, linkname=b"a" if kind == "sym" else b"", mode=0o755, uid=seed))
    message = apply_to(root, b"".join(parts))
    # Below a file, a dangling symlink or one that leads to itself there is no place for an entry.
    refusals = ("not a directory", "too many levels", "file exists", "no such file")
    assert not message or any(refusal in message for refusal in refusals)
    again = tmp_path / "again"
    again.mkdir()
    assert apply_to(again, b"".join(diff.changeset(str(root)))) == ""
    assert without_whiteout_times(describe(again)) == without_whiteout_times(describe(root))


def without_whiteout_times(tree: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    return {name: () if fields[0] == stat.S_IFCHR else fields for name, fields in tree.items()}


# Hostile layers


def test_a_symlink_to_an_absolute_path_leads_nowhere_but_into_the_snapshot(root: Path, outside: Path) -> None:
    archive = (
        entry("escape", "sym", linkname=str(outside).encode())
        + entry(str(outside).lstrip("/"), "dir", mode=0o755)
        + entry("escape/file", "reg", b"evil")
    )
    assert apply_to(root, archive) == ""
    assert (root / str(outside).lstrip("/") / "file").read_bytes() == b"evil"


@pytest.mark.parametrize(
    "target", ["../outside", "../../../../../../../..", "/", "/proc/self/root", "/proc/self/cwd/.."]
)
def test_nothing_is_written_through_a_symlink_that_points_out(root: Path, outside: Path, target: str) -> None:
    archive = entry("escape", "sym", linkname=target.encode()) + entry("escape/outside/file", "reg", b"evil")
    apply_to(root, archive)


@pytest.mark.parametrize("target", ["../outside/file", "/../outside/file", "a/../../outside/file"])
def test_a_hard_link_to_the_outside_is_refused(root: Path, outside: Path, target: str) -> None:
    assert apply_to(root, entry("h", "link", linkname=target.encode())) == (
        f'InvalidArgument: invalid hardlink target "{target}"'
    )


def test_a_hard_link_through_a_symlink_stays_inside(root: Path, outside: Path) -> None:
    archive = entry("s", "sym", linkname=str(outside).encode()) + entry("h", "link", linkname=b"s/file")
    assert apply_to(root, archive) == 'InvalidArgument: archive entry "h": no such file or directory'
    archive = entry("l", "sym", linkname=str(outside / "file").encode()) + entry("h2", "link", linkname=b"l")
    assert apply_to(root, archive) == ""
    assert (root / "h2").is_symlink()


@pytest.mark.parametrize("name", ["../outside/file", "a/../../outside/file", "/../outside/file"])
def test_a_name_that_leads_out_is_refused(root: Path, outside: Path, name: str) -> None:
    assert apply_to(root, entry(name, "reg", b"evil")) == f'InvalidArgument: invalid entry name "{name}"'


def test_a_whiteout_of_the_parent_is_refused(root: Path, outside: Path) -> None:
    for overlay in (True, False):
        message = apply_to(root, entry("d", "dir") + entry("d/.wh...", "reg"), overlay=overlay)
        assert message.startswith("InvalidArgument: invalid whiteout name")


def test_a_whiteout_through_a_symlink_removes_nothing_outside(root: Path, outside: Path) -> None:
    archive = entry("escape", "sym", linkname=b"../outside") + entry("escape/.wh.file", "reg")
    apply_to(root, archive, overlay=False)
    apply_to(root, archive + entry("escape/.wh..wh..opq", "reg"), overlay=False)


def test_removing_a_directory_does_not_follow_the_symlinks_in_it(root: Path, outside: Path) -> None:
    (root / "d").mkdir()
    (root / "d/escape").symlink_to(outside)
    assert apply_to(root, entry("d", "reg", b"x")) == ""


def test_a_deep_tree_is_replaced_without_recursion(root: Path) -> None:
    name = "/".join("d" * 1500)
    assert apply_to(root, entry(name, "dir") + entry("d", "reg", b"x")) == ""
    assert (root / "d").read_bytes() == b"x"


def test_a_name_longer_than_the_kernel_takes_is_refused(root: Path) -> None:
    message = apply_to(root, entry("/".join(["n" * 250] * 20), "reg", b"x"))
    assert message.endswith(": file name too long")


def test_a_file_below_a_file_is_refused(root: Path) -> None:
    message = apply_to(root, entry("f", "reg") + entry("f/g", "reg"))
    assert message == 'InvalidArgument: archive entry "f/g": not a directory'


def test_a_truncated_layer_names_its_entry(root: Path) -> None:
    message = apply_to(root, entry("f", "reg", b"x" * 100_000)[:50_000])
    assert message == 'InvalidArgument: archive entry "f": unexpected EOF'


def test_what_follows_the_archive_is_read_to_its_end(root: Path) -> None:
    archive = entry("f", "reg") + bytes(1024) + os.urandom(3_000_000)
    assert apply_to(root, archive) == ""


# Overlays


@pytest.fixture
def merged(tmp_path: Path, root: Path) -> Iterator[Path]:
    """Where a test mounts its overlay; what is mounted there goes away."""
    for name in ("lower", "work", "merged"):
        (tmp_path / name).mkdir()
    yield tmp_path / "merged"
    subprocess.run(["umount", str(tmp_path / "merged")], check=False, capture_output=True)


def mount(merged: Path, *lowers: str) -> None:
    options = f"lowerdir={':'.join(str(merged.parent / name) for name in lowers)}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(merged)], check=True)


@pytest.mark.needs_overlay
def test_whiteouts_hide_what_lies_below(merged: Path, root: Path) -> None:
    lower = merged.parent / "lower"
    for name in ("gone", "opaque/old", "replaced/old", "implied/old", "kept/old"):
        (lower / name).parent.mkdir(exist_ok=True)
        (lower / name).touch()
    archive = b"".join(
        (
            entry(".wh.gone", "reg"),
            entry("opaque/.wh..wh..opq", "reg"),
            entry("opaque/new", "reg"),
            entry(".wh.replaced", "reg"),
            entry("replaced", "dir", mode=0o755),
            entry("replaced/new", "reg"),
            entry(".wh.implied", "reg"),
            entry("implied/new", "reg"),
            entry("kept/new", "reg"),
        )
    )
    assert apply_to(root, archive) == ""
    mount(merged, "root", "lower")
    found = sorted(str(path.relative_to(merged)) for path in merged.rglob("*") if not path.is_dir())
    assert found == ["implied/new", "kept/new", "kept/old", "opaque/new", "replaced/new"]


@pytest.mark.needs_overlay
def test_an_overlays_changes_make_the_same_view_again(merged: Path, root: Path, tmp_path: Path) -> None:
    lower = merged.parent / "lower"
    for name in ("a/1", "a/2", "b/1", "c", "d"):
        (lower / name).parent.mkdir(exist_ok=True)
        (lower / name).write_bytes(name.encode())
    options = f"lowerdir={lower},upperdir={root},workdir={tmp_path / 'work'}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(merged)], check=True)
    os.unlink(merged / "a/1")
    os.unlink(merged / "b/1")
    os.rmdir(merged / "b")
    (merged / "b").mkdir()
    (merged / "b/new").write_bytes(b"new")
    os.unlink(merged / "c")
    (merged / "c").symlink_to("d")
    (merged / "d").write_bytes(b"changed")
    expected = describe(merged)
    subprocess.run(["umount", str(merged)], check=True)
    archive = b"".join(diff.changeset(str(root)))
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        assert opened.getnames() == ["a", "a/.wh.1", "b", "b/.wh..wh..opq", "b/new", "c", "d"]
    again = tmp_path / "again"
    again.mkdir()
    assert apply_to(again, archive) == ""
    mount(merged, "again", "lower")
    assert describe(merged) == expected


def test_a_capability_outlives_owner_and_content(root: Path) -> None:
    xattrs = {b"security.capability": CAPABILITY}
    archive = entry("f", "reg", b"x", uid=5, gid=6, mode=0o4755, xattrs=xattrs)
    assert apply_to(root, archive) == ""
    status = (root / "f").stat()
    assert os.getxattr(root / "f", "security.capability") == CAPABILITY
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o4755, 5, 6)


def test_attributes_of_the_overlay_are_not_taken_from_a_layer(root: Path) -> None:
    xattrs = {b"trusted.overlay.opaque": b"y", b"trusted.overlay.redirect": b"/", b"user.kept": b"1"}
    assert apply_to(root, entry("d", "dir", mode=0o755, xattrs=xattrs)) == ""
    assert os.listxattr(root / "d") == ["user.kept"]
