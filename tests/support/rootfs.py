"""A small root file system out of the host's static busybox, as a tar, with what the tests look for in it.

Users        app (1000:1000), supplementary groups 10 (wheel) and 1001 (extra); nobody (65534).
Files        /bin/notexec (mode 0644), /bin/badformat (executable, no known format), /www/index.html, /etc/hostname.
"""

import functools
import hashlib
import io
import shutil
import subprocess
import tarfile

PASSWD = (
    b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
)
GROUP = b"root:x:0:\nwheel:x:10:app\napp:x:1000:\nextra:x:1001:app,nobody\n"
PAGE = b"<h1>a page</h1>\n"
FOLDERS = "bin dev etc home home/app proc root sys tmp usr usr/bin var www".split()


def add(tar: tarfile.TarFile, name: str, content: bytes = b"", **fields: object) -> None:
    """One member; `fields` are attributes of TarInfo."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), 0o755, 1_700_000_000
    for field, value in fields.items():
        setattr(member, field, value)
    tar.addfile(member, io.BytesIO(content))


@functools.cache
def busybox() -> bytes:
    """The root file system as an uncompressed tar."""
    program = shutil.which("busybox") or "/bin/busybox"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in FOLDERS:
            add(tar, folder, type=tarfile.DIRTYPE, mode=0o1777 if folder == "tmp" else 0o755)
        with open(program, "rb") as binary:
            add(tar, "bin/busybox", binary.read())
        for applet in subprocess.check_output([program, "--list"], text=True).split():
            if applet != "busybox":
                add(tar, f"bin/{applet}", type=tarfile.SYMTYPE, linkname="busybox")
        add(tar, "bin/notexec", b"#!/bin/sh\n", mode=0o644)
        add(tar, "bin/badformat", b"\x01\x02\x03\x04")
        add(tar, "etc/passwd", PASSWD, mode=0o644)
        add(tar, "etc/group", GROUP, mode=0o644)
        add(tar, "www/index.html", PAGE, mode=0o644)
    return out.getvalue()


def tar_of(files: dict[str, bytes]) -> bytes:
    """A tar with these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            add(tar, name, content, mode=0o644)
    return out.getvalue()


def sha256(content: bytes) -> str:
    """The digest in hex."""
    return hashlib.sha256(content).hexdigest()
