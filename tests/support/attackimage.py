"""The attackers' image: busybox, the Python that runs the tests (as much of it as attacks import), and the attacks.

Layout       everything of `support.rootfs`; the interpreter, its libraries and its modules where the host has them;
             tests/attacks/programs below /attacks; /attacks/entry, a script whose interpreter is /proc/self/exe.
Why          An attack is a few system calls that no shell can make, and no compiler is to be needed. The image is
             complete, so the container is a default one: nothing of the host is bound into it.
"""

import functools
import io
import json
import os
import subprocess
import sys
import tarfile

from support import rootfs

PROGRAMS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "attacks", "programs")
FOLDER = "/attacks"
MODULES = (
    "array ast ctypes encodings.ascii encodings.latin_1 encodings.utf_8 errno fcntl json mmap os select signal site"
    " socket stat struct termios threading time traceback"
).split()
_PROBE = """
import json, sys
for name in sys.argv[1:]:
    __import__(name)
files = {getattr(module, "__file__", None) for module in sys.modules.values()}
with open("/proc/self/maps") as maps:
    files |= {line.split(None, 5)[5].strip() for line in maps if line.count("/")}
print(json.dumps(sorted(path for path in files if path and path.startswith("/"))))
"""
_ENTRY = f"""#!/proc/self/exe
import sys
sys.path.insert(0, {FOLDER!r})
import run
run.main(sys.argv[1:])
"""


def interpreter() -> str:
    """The interpreter's file, behind any virtual environment: the path that it has in the image, too."""
    return os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


def command(program: str, **arguments: object) -> list[str]:
    """The argv of an attack, `module.function`."""
    return [interpreter(), "-I", "-S", "-B", f"{FOLDER}/run.py", program, json.dumps(arguments)]


def environment() -> list[str]:
    """What the interpreter needs to find its modules when it does not know its own path."""
    return [f"PYTHONHOME={sys.base_prefix}"]


def _files() -> list[str]:
    output = subprocess.check_output([interpreter(), "-I", "-S", "-c", _PROBE, *MODULES], text=True)
    return [path for path in json.loads(output) if os.path.isfile(path)]


def _aliases(path: str) -> list[str]:
    """Names of links beside a library that lead to it: the loader asks for those."""
    folder, name = os.path.split(path)
    if ".so" not in name:
        return []
    found = (entry.path for entry in os.scandir(folder) if entry.is_symlink())
    return [link for link in found if os.path.realpath(link) == os.path.realpath(path)]


def _loader(program: str) -> str:
    """The path in the program's PT_INTERP, by which the kernel finds the dynamic loader (elf(5)); "" for none."""
    with open(program, "rb") as file:
        head = file.read(4096)
    offset, size, count = (int.from_bytes(head[at : at + n], "little") for at, n in ((32, 8), (54, 2), (56, 2)))
    for at in range(offset, offset + count * size, size):
        if int.from_bytes(head[at : at + 4], "little") == 3:
            start, length = (int.from_bytes(head[at + n : at + n + 8], "little") for n in (8, 32))
            return head[start : start + length - 1].decode()
    return ""


@functools.cache
def attackers() -> bytes:
    """The image as an uncompressed tar."""
    out = io.BytesIO(rootfs.busybox())
    with tarfile.open(fileobj=out, mode="a") as tar:
        made: set[str] = set()
        _add_interpreter(tar, made)
        _folders(tar, f"{FOLDER}/x", made)
        for name in sorted(os.listdir(PROGRAMS)):
            if name.endswith(".py"):
                with open(f"{PROGRAMS}/{name}", "rb") as file:
                    rootfs.add(tar, f"{FOLDER}/{name}"[1:], file.read(), mode=0o644)
        rootfs.add(tar, f"{FOLDER}/entry"[1:], _ENTRY.encode())
    return out.getvalue()


def _add_interpreter(tar: tarfile.TarFile, made: set[str]) -> None:
    program = interpreter()
    for path in dict.fromkeys([program, *_files()]):
        _folders(tar, path, made)
        with open(path, "rb") as file:
            rootfs.add(tar, path[1:], file.read(), mode=0o755)
        for link in _aliases(path):
            rootfs.add(tar, link[1:], type=tarfile.SYMTYPE, linkname=path)
    loader = _loader(program)
    if loader and loader != os.path.realpath(loader):
        _folders(tar, loader, made)
        rootfs.add(tar, loader[1:], type=tarfile.SYMTYPE, linkname=os.path.realpath(loader))


def _folders(tar: tarfile.TarFile, path: str, made: set[str]) -> None:
    parent = os.path.dirname(path)
    if parent == "/" or parent in made or parent[1:] in rootfs.FOLDERS:
        return
    _folders(tar, parent, made)
    made.add(parent)
    rootfs.add(tar, parent[1:], type=tarfile.DIRTYPE)
