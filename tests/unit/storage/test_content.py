import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sampan import errors
from sampan.base import failpoints
from sampan.oci.digest import digest_of
from sampan.storage.content import Blob, ContentStore


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    return ContentStore(str(tmp_path))


def left_over(store: ContentStore, tmp_path: Path) -> list[str]:
    return os.listdir(tmp_path / "ingest")


def test_a_committed_blob_can_be_read_by_its_digest(store: ContentStore, tmp_path: Path) -> None:
    with store.writer("x") as ingest:
        ingest.write(b"ab")
        ingest.write(memoryview(b"c"))
        assert not store.has(digest_of(b"abc"))
        blob = ingest.commit(3, digest_of(b"abc"))
    assert blob == Blob(digest_of(b"abc"), 3) == store.info(blob.digest)
    assert store.read(blob.digest) == b"abc" and store.has(blob.digest)
    with store.open(blob.digest) as file:
        assert file.read() == b"abc"
    assert store.list() == [blob] and left_over(store, tmp_path) == []


def test_a_blob_is_stored_once(store: ContentStore, tmp_path: Path) -> None:
    assert store.put(b"x") == store.put(b"x")
    assert len(store.list()) == 1 and left_over(store, tmp_path) == []


def test_other_algorithms_have_their_own_blobs(store: ContentStore) -> None:
    with store.writer("x", algorithm="sha512") as ingest:
        ingest.write(b"x")
        blob = ingest.commit(expected_digest=digest_of(b"x", "sha512"))
    assert store.read(blob.digest) == b"x" and store.list() == [blob]


@pytest.mark.parametrize(("size", "digest"), [(2, None), (None, digest_of(b"y"))])
def test_a_wrong_size_or_digest_leaves_nothing(store: ContentStore, tmp_path: Path, size, digest) -> None:
    with pytest.raises(errors.DataLoss, match="the thing: unexpected"), store.writer("the thing") as ingest:
        ingest.write(b"x")
        ingest.commit(size, digest)
    assert store.list() == [] and left_over(store, tmp_path) == []


def test_an_ingest_that_is_left_without_a_commit_is_gone(store: ContentStore, tmp_path: Path) -> None:
    with store.writer("x") as ingest:
        ingest.write(b"x")
    assert store.list() == [] and left_over(store, tmp_path) == []


def test_deleting_twice_is_harmless(store: ContentStore) -> None:
    blob = store.put(b"x")
    assert store.delete(blob.digest) and not store.delete(blob.digest)
    assert not store.has(blob.digest)


def test_what_is_not_there_is_not_found(store: ContentStore) -> None:
    for ask in (store.open, store.read, store.info):
        with pytest.raises(errors.NotFound):
            ask(digest_of(b"x"))


@pytest.mark.parametrize("unsafe", ["sha256:../../etc/passwd", "", "md5:" + "0" * 32])
def test_what_is_no_digest_never_becomes_a_path(store: ContentStore, unsafe: str) -> None:
    for ask in (store.open, store.has, store.delete, store.info):
        with pytest.raises(errors.InvalidArgument):
            ask(unsafe)


def test_changed_bytes_are_noticed_when_a_whole_blob_is_read(store: ContentStore) -> None:
    blob = store.put(b"x")
    path = store.path(blob.digest)
    os.chmod(path, 0o600)
    Path(path).write_bytes(b"y")
    with pytest.raises(errors.DataLoss):
        store.read(blob.digest)


def test_a_failing_disk_is_reported_and_leaves_nothing(store: ContentStore, tmp_path: Path) -> None:
    failpoints.arm("content.commit.synced=error")
    try:
        with pytest.raises(errors.Internal):
            store.put(b"x")
    finally:
        failpoints.arm("")
    assert store.list() == [] and left_over(store, tmp_path) == []


def test_a_full_disk_is_told_apart(store: ContentStore) -> None:
    with store.writer("x") as ingest:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, ingest._fd)
        os.close(full)
        with pytest.raises(errors.ResourceExhausted, match=os.strerror(errno.ENOSPC)):
            ingest.write(b"x")


CRASH = "import sys; from sampan.storage.content import ContentStore; ContentStore(sys.argv[1]).put(b'abc')"


@pytest.mark.parametrize(("point", "stored"), [("content.commit.synced", False), ("content.commit.renamed", True)])
def test_after_a_crash_a_blob_is_whole_or_absent(tmp_path: Path, point: str, stored: bool) -> None:
    armed = os.environ | {"SAMPAN_FAILPOINTS": f"{point}=kill"}
    done = subprocess.run([sys.executable, "-c", CRASH, str(tmp_path)], env=armed, check=False)
    assert done.returncode == -signal.SIGKILL
    store = ContentStore(str(tmp_path))
    assert store.sweep() == (0 if stored else 1)
    assert left_over(store, tmp_path) == []
    assert store.has(digest_of(b"abc")) is stored
    assert store.read(store.put(b"abc").digest) == b"abc"
