import gzip
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan import errors
from sampan.image.archive import Archive, clean, read_archive
from sampan.oci.digest import digest_of
from sampan.storage.content import ContentStore
from support.image_world import tar_of


@pytest.fixture
def content(tmp_path: Path) -> Iterator[ContentStore]:
    yield ContentStore(str(tmp_path))


def read(content: ContentStore, archive: bytes) -> Archive:
    return read_archive(io.BytesIO(archive), content)


def with_links(*links: tuple[str, bytes, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        file = tarfile.TarInfo("dir/file")
        file.size = 2
        tar.addfile(file, io.BytesIO(b"ab"))
        for name, kind, target in links:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, target
            tar.addfile(link)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [("a", "a"), ("./a//b/", "a/b"), ("/a", "a"), ("../../a", "a"), ("a/../../b", "b"), (".", ""), ("//a", "a")],
)
def test_a_name_stays_below_the_root(name: str, cleaned: str) -> None:
    assert clean(name) == cleaned


def test_every_file_becomes_a_blob_that_is_found_by_its_name(content: ContentStore) -> None:
    archive = read(content, gzip.compress(tar_of({"./a": b"1", "d/b": b"22"})))
    assert archive.read("a") == b"1"
    assert archive.read("/d/../d/b") == b"22"
    assert content.read(digest_of(b"22")) == b"22"
    assert archive.find("d") is None
    with pytest.raises(errors.InvalidArgument, match=r"^open nope: no such file or directory$"):
        archive.require("nope")


def test_links_lead_to_files_and_a_ring_of_them_nowhere(content: ContentStore) -> None:
    links = [
        ("dir/soft", tarfile.SYMTYPE, "file"),
        ("up", tarfile.SYMTYPE, "dir/soft"),
        ("hard", tarfile.LNKTYPE, "dir/file"),
        ("out", tarfile.SYMTYPE, "../../etc/passwd"),
        ("ring", tarfile.SYMTYPE, "gnir"),
        ("gnir", tarfile.SYMTYPE, "ring"),
    ]
    archive = read(content, with_links(*links))
    assert [archive.read(name) for name in ("dir/soft", "up", "hard")] == [b"ab"] * 3
    assert [archive.find(name) for name in ("out", "ring")] == [None, None]


def test_a_blob_has_the_digest_of_its_name(content: ContentStore) -> None:
    digest = digest_of(b"x")
    archive = read(content, tar_of({f"blobs/{digest.replace(':', '/')}": b"x"}))
    assert archive.blob(digest) == content.info(digest)
    with pytest.raises(errors.DataLoss, match="unexpected digest"):
        read(content, tar_of({f"blobs/{digest.replace(':', '/')}": b"y"}))


def test_a_blob_that_the_store_has_already_need_not_be_in_the_archive(content: ContentStore) -> None:
    content.put(b"there", ref="x")
    archive = read(content, tar_of({}))
    assert archive.blob(digest_of(b"there")) == content.info(digest_of(b"there"))
    assert archive.blob(digest_of(b"not there")) is None
    assert archive.blob("sha256:../../etc/passwd") is None


def test_a_name_below_blobs_that_is_no_digest_is_a_name(content: ContentStore) -> None:
    archive = read(content, tar_of({"blobs/sha256/short": b"x", "blobs/md5/" + "1" * 32: b"y"}))
    assert archive.read("blobs/sha256/short") == b"x"


def test_a_metadata_file_of_absurd_size_is_refused(content: ContentStore) -> None:
    archive = read(content, tar_of({"index.json": bytes((16 << 20) + 1)}))
    with pytest.raises(errors.InvalidArgument, match=r"index\.json: 16777217 bytes are too many"):
        archive.read("index.json")


def test_what_follows_the_tar_in_a_compressed_stream_is_read_too(content: ContentStore) -> None:
    damaged = gzip.compress(tar_of({"a": b"1"}))[:-4] + b"0000"
    with pytest.raises(errors.InvalidArgument):
        read(content, damaged)
