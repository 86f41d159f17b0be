"""Intel Resource Director Technology: shares of the last-level cache and of memory bandwidth, as groups of resctrl.

Layout      <mount>/<closID or container id>/{schemata,tasks}     a group: its shares, and who has them
            <mount>/<group>/mon_groups/<container id>/{tasks,mon_data/mon_L3_NN/*}     counters of one container
Ownership   A group named by the container's id is the container's, made and removed with it. One named by `closID` is
            shared: the administrator's, or of the first container that names it, and never removed.
Units       As resctrl: percent or MB/s in schemata; counters in bytes.
Errors      ResctrlError: not mounted, a schema that does not match the group's, or what the kernel says was wrong.
Spec        runtime-spec 1.2, config-linux.md "IntelRdt"; Documentation/arch/x86/resctrl.rst
"""

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT_MOUNT = "/sys/fs/resctrl"


class ResctrlError(OSError):
    """What cannot be had; the text names it."""

    def __str__(self) -> str:
        return self.strerror or super().__str__()


def mountpoint(mountinfo: str) -> str:
    """Where resctrl is mounted, from the text of a mountinfo file; "" when it is not."""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if after.split(" ", 1)[0] == "resctrl":
            return before.split(" ")[4]
    return ""


def group_for(intel_rdt: "dict[str, Any]", container_id: str, *, mount: str = "") -> "Group":
    """The group that `linux.intelRdt` asks for; ResctrlError when there is no resctrl, or its name is none."""
    if not mount:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mount = mountpoint(file.read())
    if not mount:
        text = f"intelRdt is specified in config, but resctrl is not mounted (mount -t resctrl resctrl {DEFAULT_MOUNT})"
        raise ResctrlError(errno.ENODEV, text)
    name = intel_rdt.get("closID") or container_id
    if name in (".", "..", "info", "mon_groups", "mon_data") or "/" in name:
        raise ResctrlError(errno.EINVAL, f"invalid intelRdt.ClosID {name!r}")
    return Group(intel_rdt, container_id, mount, name)


class Group:
    """One container's class of service."""

    __slots__ = ("_config", "_id", "_is_shared", "folder", "mount")

    def __init__(self, intel_rdt: "dict[str, Any]", container_id: str, mount: str, name: str) -> None:
        self._config = intel_rdt
        self._id = container_id
        self._is_shared = bool(intel_rdt.get("closID"))
        self.mount = mount
        self.folder = f"{mount}/{name}"

    @property
    def _monitor(self) -> str:
        # runtime-spec 1.2 has two switches for two of the counters; its successor has one for all.
        wanted = any(self._config.get(key) for key in ("enableMonitoring", "enableCMT", "enableMBM"))
        return f"{self.folder}/mon_groups/{self._id}" if wanted else ""

    def create(self) -> None:
        """Make the group with its shares, or check those of a shared one."""
        lines = schemata(self._config)
        self._check_features(lines)
        if self._is_shared and not lines:
            if not os.path.isdir(self.folder):
                text = f"the resctrl group {self.folder} does not exist; it must when intelRdt has closID and no schema"
                raise ResctrlError(errno.ENOENT, text)
        else:
            is_new = self._make(self.folder)
            if self._is_shared and not is_new:
                self._check_same(lines)
            else:
                self._write_schemata(lines)
        if self._monitor:
            self._make(self._monitor)

    def _check_features(self, lines: "list[str]") -> None:
        for line in lines:
            resource = line.partition(":")[0].strip()
            if not os.path.isdir(f"{self.mount}/info/{resource}"):
                raise ResctrlError(errno.EINVAL, f"intelRdt has a schema for {resource}, which is not enabled here")

    def _make(self, folder: str) -> bool:
        try:
            os.mkdir(folder)
        except FileExistsError:
            return False
        except OSError as error:
            raise self._failure(f"cannot make {folder}", error) from error
        return True

    def _check_same(self, lines: "list[str]") -> None:
        now = {line.partition(":")[0].strip(): line for line in _read(f"{self.folder}/schemata").splitlines()}
        for line in lines:
            resource, _, wanted = line.partition(":")
            held = _domains(now.get(resource.strip(), "").partition(":")[2])
            if any(held.get(domain) != value for domain, value in _domains(wanted).items()):
                text = f"the schemata of {self.folder} are not those of the config: {line!r}"
                raise ResctrlError(errno.EINVAL, text)

    def _write_schemata(self, lines: "list[str]") -> None:
        if lines:
            self._write(f"{self.folder}/schemata", "".join(f"{line}\n" for line in lines))

    def update(self, *, l3_cache_schema: str = "", mem_bw_schema: str = "") -> None:
        """Other shares for a running container."""
        lines = schemata({"l3CacheSchema": l3_cache_schema, "memBwSchema": mem_bw_schema})
        self._check_features(lines)
        self._write_schemata(lines)

    def add(self, pid: int) -> None:
        """Put a process in; its children will be there, too."""
        for folder in filter(None, (self.folder, self._monitor)):
            self._write(f"{folder}/tasks", str(pid))

    def remove(self) -> None:
        """Remove what is the container's own; nothing when it is gone."""
        for folder in filter(None, (self._monitor, "" if self._is_shared else self.folder)):
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                continue

    def statistics(self) -> "dict[str, Any]":
        """What `runc events --stats` prints as "intel_rdt"."""
        found: dict[str, Any] = {"schemata": [line.strip() for line in _read(f"{self.folder}/schemata").splitlines()]}
        root = [line.strip() for line in _read(f"{self.mount}/schemata").splitlines()]
        for resource, key, info_key, names in (
            ("L3", "l3_cache_schema", "l3_cache_info", ("cbm_mask", "min_cbm_bits", "num_closids")),
            ("MB", "mem_bw_schema", "mem_bw_info", ("bandwidth_gran", "delay_linear", "min_bandwidth", "num_closids")),
        ):
            info = f"{self.mount}/info/{resource}"
            if os.path.isdir(info):
                values = {name: _read(f"{info}/{name}") for name in names}
                found[info_key] = {name: text if name == "cbm_mask" else int(text) for name, text in values.items()}
                for suffix, lines in (("_root", root), ("", found["schemata"])):
                    found[key + suffix] = next((line for line in lines if line.startswith(f"{resource}:")), "")
        return {key: value for key, value in {**found, **self._counters()}.items() if value}

    def _counters(self) -> "dict[str, list[dict[str, int]]]":
        data = f"{self._monitor or self.folder}/mon_data"
        try:
            nodes = sorted(name for name in os.listdir(data) if name.startswith("mon_L3_"))
        except FileNotFoundError:
            return {}
        bandwidth, occupancy = [], []
        for node in nodes:
            counters = {name: _read(f"{data}/{node}/{name}") for name in os.listdir(f"{data}/{node}")}
            numbers = {name: int(text) for name, text in counters.items() if text.isdigit()}
            if "llc_occupancy" in numbers:
                occupancy.append({"llc_occupancy": numbers.pop("llc_occupancy")})
            if numbers:
                bandwidth.append(numbers)
        return {"mbm_stats": bandwidth, "cmt_stats": occupancy}

    def _write(self, path: str, text: str) -> None:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, text.encode())
            finally:
                os.close(fd)
        except OSError as error:
            raise self._failure(f"failed to write {text!r} to {path}", error) from error

    def _failure(self, what: str, error: OSError) -> ResctrlError:
        try:
            status = _read(f"{self.mount}/info/last_cmd_status")
        except OSError:
            status = ""
        text = f"{what}: {error.strerror}" + (f" ({status})" if status and status != "ok" else "")
        return ResctrlError(error.errno, text)


def schemata(intel_rdt: "dict[str, Any]") -> "list[str]":
    """The lines to write; `memBwSchema` wins over a bandwidth line in `l3CacheSchema`, and `schemata` comes last."""
    cache = (intel_rdt.get("l3CacheSchema") or "").splitlines()
    bandwidth = (intel_rdt.get("memBwSchema") or "").splitlines()
    if bandwidth:
        cache = [line for line in cache if not line.strip().startswith("MB:")]
    more = intel_rdt.get("schemata") or []
    found = [*cache, *bandwidth, *(more.splitlines() if isinstance(more, str) else more)]
    return [line for line in found if line.strip()]


def _domains(text: str) -> "dict[str, str]":
    """Of "0=7f0;1=1f": cache ids and values, without the zeros that the kernel puts before or leaves out."""
    pairs = (pair.partition("=") for pair in text.split(";") if pair.strip())
    return {domain.strip().lstrip("0") or "0": value.strip().lower().lstrip("0") for domain, _, value in pairs}


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read().strip()
