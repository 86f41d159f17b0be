"""import, load, save, tag, rmi, images, history, inspect, by the stock command line and by our own."""

import gzip
import hashlib
import io
import json
import lzma
import tarfile
from collections.abc import Callable

import pytest
import zstandard

from support import rootfs
from support.api import Api
from support.frontend import Frontend

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_overlay, pytest.mark.needs_busybox]
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "gzip": gzip.compress,
    "xz": lambda content: lzma.compress(content, preset=0),
    "zstd": lambda content: zstandard.ZstdCompressor().compress(content),
}


def docker_archive(name: str, *layers: bytes) -> bytes:
    """A `docker load` archive of one image, made by hand."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2025-01-01T00:00:00Z",
        "config": {"Cmd": ["cat", "/file"], "Labels": {"made": "by hand"}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{rootfs.sha256(layer)}" for layer in layers]},
        "history": [{"created": "2025-01-01T00:00:00Z", "created_by": f"layer {i}"} for i in range(len(layers))],
    }
    config_bytes = json.dumps(config).encode()
    config_name = f"{rootfs.sha256(config_bytes)}.json"
    names = [f"layer{i}.tar" for i in range(len(layers))]
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": names}]
    files = dict(zip(names, layers, strict=True))
    return rootfs.tar_of({config_name: config_bytes, "manifest.json": json.dumps(manifest).encode(), **files})


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_import_takes_each_compression(cli: Frontend, name: str, compression: str, tmp_path) -> None:
    source = tmp_path / "rootfs"
    source.write_bytes(COMPRESSIONS[compression](rootfs.busybox()))
    printed = cli("import", str(source), f"{name}:1")
    assert printed.startswith("sha256:")
    assert cli("run", "--rm", f"{name}:1", "cat", "/www/index.html") == rootfs.PAGE.decode().rstrip()


def test_import_applies_changes_and_reads_standard_input(cli: Frontend, name: str) -> None:
    changes = ["CMD echo by default", "ENV A=b", "WORKDIR /www", "LABEL x=y", "EXPOSE 80", "USER app"]
    flags = [part for change in changes for part in ("--change", change)]
    cli("import", *flags, "--message", "by a test", "-", name, stdin=rootfs.busybox())
    assert cli("run", "--rm", name) == "by default"
    assert cli("run", "--rm", name, "sh", "-c", "pwd; id -un; echo $A") == "/www\napp\nb"
    (seen,) = json.loads(cli("inspect", name))
    assert seen["Config"]["Labels"] == {"x": "y"} and "80/tcp" in seen["Config"]["ExposedPorts"]
    assert seen["Comment"] == "by a test"


def test_load_runs_layers_in_order_with_whiteouts(cli: Frontend, name: str, tmp_path) -> None:
    upper = rootfs.tar_of({"file": b"upper\n", "etc/.wh.group": b"", "www/.wh..wh..opq": b"", "www/new": b""})
    archive = tmp_path / "image.tar"
    archive.write_bytes(docker_archive(f"{name}:1", rootfs.busybox(), rootfs.tar_of({"file": b"lower\n"}), upper))
    assert cli("load", "-i", str(archive)) == f"Loaded image: {name}:1"
    assert cli("run", "--rm", f"{name}:1") == "upper"
    assert cli("run", "--rm", f"{name}:1", "sh", "-c", "ls /www; ls /etc/group 2>/dev/null; true") == "new"


def test_save_and_load_keep_the_image_id(cli: Frontend, name: str) -> None:
    cli("load", stdin=docker_archive(f"{name}:1", rootfs.busybox(), rootfs.tar_of({"file": b"kept\n"})))
    image_id = cli("inspect", "-f", "{{.Id}}", f"{name}:1")
    cli("tag", f"{name}:1", f"{name}:2")
    code, archive, _ = cli.raw("save", f"{name}:1", f"{name}:2")
    assert code == 0
    cli("rmi", f"{name}:1", f"{name}:2")
    assert cli("images", "-q", name) == ""
    assert sorted(cli("load", stdin=archive).splitlines()) == [f"Loaded image: {name}:{tag}" for tag in (1, 2)]
    assert cli("inspect", "-f", "{{.Id}}", f"{name}:2") == image_id
    assert cli("run", "--rm", f"{name}:2") == "kept"


def test_saved_archive_is_docker_archive_and_oci_layout_in_one(cli: Frontend, name: str, tmp_path) -> None:
    cli("load", stdin=docker_archive(f"{name}:1", rootfs.busybox()))
    cli("save", "-o", str(tmp_path / "saved.tar"), f"{name}:1")
    with tarfile.open(tmp_path / "saved.tar") as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}
    (docker,) = json.loads(files["manifest.json"])
    assert docker["RepoTags"] == [f"{name}:1"]
    assert "imageLayoutVersion" in json.loads(files["oci-layout"])
    (entry,) = json.loads(files["index.json"])["manifests"]
    blob = files["blobs/" + entry["digest"].replace(":", "/")]
    assert hashlib.sha256(blob).hexdigest() == entry["digest"].removeprefix("sha256:")
    assert rootfs.busybox() in {_unpacked(files[layer]) for layer in docker["Layers"]}


def _unpacked(content: bytes) -> bytes:
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


@pytest.mark.needs_sampand  # Docker loads it only with its containerd image store
def test_an_oci_layout_can_be_loaded(cli: Frontend, name: str) -> None:
    cli("load", stdin=docker_archive(f"{name}:1", rootfs.busybox(), rootfs.tar_of({"file": b"oci\n"})))
    _, archive, _ = cli.raw("save", f"{name}:1")
    cli("rmi", f"{name}:1")
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            if member.name not in ("manifest.json", "repositories"):
                new.addfile(member, old.extractfile(member) if member.isfile() else None)
    cli("load", stdin=out.getvalue())
    assert cli("run", "--rm", f"{name}:1") == "oci"


def test_images_lists_tags_ids_and_sizes(cli: Frontend, name: str) -> None:
    cli("import", "-", f"{name}:1", stdin=rootfs.busybox())
    cli("tag", f"{name}:1", f"{name}:2")
    listed = cli("images", "--format", "{{.Repository}}:{{.Tag}}", name).splitlines()
    assert sorted(listed) == [f"{name}:1", f"{name}:2"]
    assert len(set(cli("images", "-q", "--no-trunc", name).split())) == 1
    head = cli("images", name).splitlines()[0]
    assert head.split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]


def test_rmi_untags_first_and_deletes_with_the_last_name(cli: Frontend, name: str) -> None:
    cli("import", "-", f"{name}:1", stdin=rootfs.tar_of({name: b"of its own"}))
    cli("tag", f"{name}:1", f"{name}:2")
    assert cli("rmi", f"{name}:1").splitlines() == [f"Untagged: {name}:1"]
    last = cli("rmi", f"{name}:2").splitlines()
    assert last[0] == f"Untagged: {name}:2" and any(line.startswith("Deleted: sha256:") for line in last[1:])


def test_rmi_of_an_image_in_use_is_refused(cli: Frontend, name: str) -> None:
    cli("import", "-", f"{name}:1", stdin=rootfs.busybox())
    cli("run", "-d", "--name", name, f"{name}:1", "sleep", "60")
    refused = cli.run("rmi", f"{name}:1")
    assert refused.code == 1 and "conflict: unable to " in refused.err.lower()
    cli("rm", "-f", name)
    cli("rmi", f"{name}:1")


def test_history_shows_the_layers(cli: Frontend, name: str) -> None:
    layers = (rootfs.busybox(), rootfs.tar_of({"file": b"x"}))
    cli("load", stdin=docker_archive(f"{name}:1", *layers))
    assert cli("history", "--format", "{{.CreatedBy}}", f"{name}:1").splitlines() == ["layer 1", "layer 0"]


def test_tagging_by_id_and_invalid_references(cli: Frontend, name: str) -> None:
    cli("import", "-", f"{name}:1", stdin=rootfs.busybox())
    image_id = cli("images", "-q", f"{name}:1")
    cli("tag", image_id, f"{name}:by-id")
    assert cli("run", "--rm", f"{name}:by-id", "echo", "found") == "found"
    refused = cli.run("tag", f"{name}:1", "Not/Lower:1")
    assert refused.code == 1 and "invalid reference format" in refused.err


@pytest.mark.parametrize(
    "archive",
    [
        b"not a tar at all" * 100,
        rootfs.tar_of({"manifest.json": b"{"}),
        docker_archive("smph-bad:1", b"\0" * 1024)[:2048],
        rootfs.tar_of({"manifest.json": b'[{"Config":"../../etc/passwd","RepoTags":["smph-bad:1"],"Layers":[]}]'}),
    ],
    ids=["garbage", "broken manifest", "truncated", "config outside"],
)
def test_a_broken_archive_is_refused_and_adds_no_image(cli: Frontend, api: Api, archive: bytes) -> None:
    before = {entry["Id"] for entry in api("GET", "/images/json")}
    result = cli.run("load", stdin=archive)
    assert result.code == 1 and result.err
    added = {e["Id"]: e["RepoTags"] for e in api("GET", "/images/json") if e["Id"] not in before}
    assert not [tags for tags in added.values() if "smph-bad:1" in (tags or [])]


def hostile_layers() -> dict[str, bytes]:
    """Layers that try to reach outside of the root they are unpacked in."""
    out: dict[str, bytes] = {}
    for label, members in {
        "dot-dot": [("../../../../tmp/smph-escaped", {})],
        "absolute": [("/tmp/smph-escaped", {})],
        "through a symlink": [
            ("link", {"type": tarfile.SYMTYPE, "linkname": "/tmp"}),
            ("link/smph-escaped", {}),
        ],
        "hard link to the host": [("taken", {"type": tarfile.LNKTYPE, "linkname": "../../../../../etc/shadow"})],
    }.items():
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for member, fields in members:
                rootfs.add(tar, member, b"" if fields else b"escaped", **fields)
        out[label] = buffer.getvalue()
    return out


@pytest.mark.parametrize("attack", hostile_layers())
def test_a_hostile_layer_changes_nothing_outside(cli: Frontend, name: str, attack: str, tmp_path) -> None:
    archive = docker_archive(f"{name}:1", rootfs.busybox(), hostile_layers()[attack])
    cli.run("load", stdin=archive)
    with pytest.raises(FileNotFoundError), open("/tmp/smph-escaped"):
        pass
