"""Reading and writing cgroup files, and the names of what the kernel offers.

Every file is written by one write(2): the kernel parses each write by itself.
"""

import os


class CgroupError(OSError):
    """A limit that the kernel did not take; the text names file and value."""


def write(folder: str, name: str, value: object) -> None:
    """Write one value; CgroupError with the file and the value when the kernel refuses it."""
    path = f"{folder}/{name}"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, str(value).encode())
        finally:
            os.close(fd)
    except OSError as error:
        text = f"failed to write {str(value)!r} to {path}: {error.strerror}"
        raise CgroupError(error.errno, text) from error


def read(folder: str, name: str) -> str:
    """The text of a cgroup file, without the newline at its end."""
    fd = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 1 << 16).decode().rstrip("\n")
    finally:
        os.close(fd)


def keyed(folder: str, name: str, key: str) -> int:
    """The number beside `key` in a file of "key number" lines; 0 when file or key is not there."""
    try:
        text = read(folder, name)
    except FileNotFoundError:
        return 0
    for line in text.splitlines():
        word, _, number = line.partition(" ")
        if word == key:
            return int(number)
    return 0


def make(folder: str) -> bool:
    """Make a cgroup and its missing parents; True when it is new."""
    try:
        os.mkdir(folder)
    except FileNotFoundError:
        make(os.path.dirname(folder))
        return make(folder)
    except FileExistsError:
        return False
    return True


def remove(folder: str) -> None:
    """Remove a cgroup with the cgroups that a container made below it; nothing when it is gone. EBUSY: still in use."""
    try:
        os.rmdir(folder)
        return
    except FileNotFoundError:
        return
    except OSError:
        below = [entry.path for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    for path in below:
        remove(path)
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return


def pids(folder: str) -> "set[int]":
    """The processes in a cgroup and below it, as this PID namespace numbers them."""
    found: set[int] = set()
    try:
        found.update(int(line) for line in read_all(f"{folder}/cgroup.procs").split())
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                found |= pids(entry.path)
    except (FileNotFoundError, OSError):
        return found
    return found


def read_all(path: str) -> str:
    """A file of any length."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def device_rule_text(rule: "dict[str, object]") -> str:
    """A rule of the OCI config as the v1 devices controller reads it: "c 1:3 rwm"."""
    kind = rule.get("type") or "a"
    major, minor = (("*" if rule.get(key) in (None, -1) else rule[key]) for key in ("major", "minor"))
    return f"{kind} {major}:{minor} {rule.get('access') or 'rwm'}"
