"""Reading and writing cgroup files, and the names of what the kernel offers.

Every value is written by one write(2): the kernel parses each write by itself.
Errors      CgroupError, an OSError whose text names file and value, for what the kernel does not take.
"""

import errno
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class CgroupError(OSError):
    """A limit that cannot be set; the text names what and why."""

    def __str__(self) -> str:
        # Without "[Errno 22]" before a text that says it already.
        return self.strerror or super().__str__()


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


def write_together(folder: str, values: "Iterable[tuple[str, object]]") -> None:
    """Write values of which some are only valid beside others (a period and its quota, memory and memory with swap).

    What the kernel calls invalid is tried again after the rest, so the right order is found whichever way they change.
    """
    pending = list(values)
    while pending:
        refused = []
        for name, value in pending:
            try:
                write(folder, name, value)
            except CgroupError as error:
                if error.errno != errno.EINVAL:
                    raise
                refused.append((name, value))
                reason = error
        if len(refused) == len(pending):
            raise reason
        pending = refused


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


def remove(folder: str, deadline_s: float = 0.0) -> None:
    """Remove a cgroup with the cgroups that a container made below it; nothing when it is gone.

    OSError EBUSY: still in use at `deadline_s` (of time.monotonic). A process that ends leaves its cgroup a little
    after its parent has heard of it.
    """
    try:
        os.rmdir(folder)
        return
    except FileNotFoundError:
        return
    except OSError:
        for path in below(folder):
            remove(path, deadline_s)
    pause_s = 0.001
    while True:
        try:
            os.rmdir(folder)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() >= deadline_s:
                raise
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.05)


def below(folder: str) -> "list[str]":
    """The cgroups directly below one; none when it is gone."""
    try:
        return [entry.path for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def pids(folder: str) -> "set[int]":
    """The processes in a cgroup and below it, as this PID namespace numbers them; what it cannot see is left out."""
    found: set[int] = set()
    try:
        found.update(int(line) for line in _members(folder).split())
        for path in below(folder):
            found |= pids(path)
    except FileNotFoundError:
        return found
    except OSError as error:
        if error.errno != errno.ENODEV:  # it was removed between open and read
            raise
    # A process of another PID namespace shows as 0, which would be everybody to kill(2).
    found.discard(0)
    return found


def _members(folder: str) -> str:
    try:
        return read_all(f"{folder}/cgroup.procs")
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
    return read_all(f"{folder}/cgroup.threads")  # of a threaded cgroup (version 2)


def read_all(path: str) -> str:
    """A file of any length."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def sub_path(unsafe_path: str) -> str:
    """A path below a container's cgroup from a user ("foo", "/foo/bar", "" or "/" for the cgroup itself), to append."""
    parts = [part for part in unsafe_path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise CgroupError(errno.EINVAL, f"invalid cgroup `{unsafe_path}`: `..` components are not allowed")
    return "".join(f"/{part}" for part in parts)


def rdma_limits(resources: "dict[str, dict[str, dict[str, int | None]]]") -> "list[tuple[str, object]]":
    """`resources.rdma` as both versions take it: "mlx4_0 hca_handle=2 hca_object=2000"."""
    found: list[tuple[str, object]] = []
    for device, limits in (resources.get("rdma") or {}).items():
        words = {"hca_handle": limits.get("hcaHandles"), "hca_object": limits.get("hcaObjects")}
        found.append(("rdma.max", " ".join([device, *(f"{k}={v}" for k, v in words.items() if v is not None)])))
    return found


def is_rootless() -> bool:
    """Whether this process is not the machine's root: another user, or in a user namespace (user_namespaces(7))."""
    if os.geteuid() != 0:
        return True
    try:
        return read_all("/proc/self/uid_map").split() != ["0", "0", "4294967295"]
    except FileNotFoundError:
        return False


def device_rule_text(rule: "dict[str, object]") -> str:
    """A rule of the OCI config as the v1 devices controller reads it: "c 1:3 rwm"."""
    kind = rule.get("type") or "a"
    major, minor = (("*" if rule.get(key) in (None, -1) else rule[key]) for key in ("major", "minor"))
    return f"{'c' if kind == 'u' else kind} {major}:{minor} {rule.get('access') or 'rwm'}"
