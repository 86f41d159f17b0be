"""`update`: changes the limits of a container, by flags or by a file in the form of config.json's linux.resources.

What was set is kept in the state directory's configuration as well: a later update of a quota alone knows its period.
Units       bytes; memory also with a suffix (512m, 1.5GiB). CPU times in microseconds.
"""

import sys

from sampan.base import jsontext
from sampan.errors import Conflict, InvalidArgument
from sampan.runtime.command.options import Command, Flag, number, text
from sampan.runtime.command.store import STOPPED, Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

# flag: where it belongs in linux.resources, how its word is read, what it is good for
_FLAGS = {
    "blkio-weight": ("blockIO.weight", "number", "the share of block I/O, 10 to 1000"),
    "cpu-period": ("cpu.period", "number", "the period of the quota, in microseconds"),
    "cpu-quota": ("cpu.quota", "number", "CPU time in a period, in microseconds; -1 for no limit"),
    "cpu-burst": ("cpu.burst", "number", "unused CPU time that may be kept, in microseconds"),
    "cpu-share": ("cpu.shares", "number", "the share of CPU time beside other containers"),
    "cpu-rt-period": ("cpu.realtimePeriod", "number", "the period of realtime processes, in microseconds"),
    "cpu-rt-runtime": ("cpu.realtimeRuntime", "number", "CPU time of realtime processes in a period, in microseconds"),
    "cpu-idle": ("cpu.idle", "number", "1: run only what no other container wants (SCHED_IDLE)"),
    "cpuset-cpus": ("cpu.cpus", "word", "the CPUs to use, such as 0-2,4"),
    "cpuset-mems": ("cpu.mems", "word", "the memory nodes to use"),
    "memory": ("memory.limit", "size", "the limit of memory"),
    "memory-reservation": ("memory.reservation", "size", "the limit when memory is short"),
    "memory-swap": ("memory.swap", "size", "the limit of memory and swap together; -1 for no limit"),
    "kernel-memory": ("", "size", "no longer has an effect"),
    "kernel-memory-tcp": ("", "size", "no longer has an effect"),
    "pids-limit": ("pids.limit", "number", "the limit of processes; -1 for no limit"),
}
_RDT_FLAGS = {"l3-cache-schema": "l3CacheSchema", "mem-bw-schema": "memBwSchema"}
_SUFFIXES = {"": 0, "b": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50}


def _flag(name: str, kind: str, help_text: str) -> Flag:
    return number(name, help_text) if name == "pids-limit" else text(name, help_text, "SIZE" if kind == "size" else "N")


COMMAND = Command(
    "update",
    "CONTAINER",
    "change the limits of a container",
    (
        text("resources r", "take the limits from FILE, or from standard input (-); other flags count no more", "FILE"),
        *(_flag(name, kind, help_text) for name, (_, kind, help_text) in _FLAGS.items()),
        text("l3-cache-schema", "Intel RDT: the schema of the L3 cache", "SCHEMA"),
        text("mem-bw-schema", "Intel RDT: the schema of memory bandwidth", "SCHEMA"),
    ),
)


def run(context: "Context", options: "Options") -> int:
    with Container.load(context.root, options.arguments[0]).locked() as container:
        if container.status() == STOPPED:
            raise Conflict("container not running")
        if options["kernel-memory"] or options["kernel-memory-tcp"]:
            context.log.warning("Kernel memory settings are ignored and will be removed")
        wanted = read(options["resources"]) if options["resources"] else from_flags(options)
        _apply(container, wanted)
        schemas = {key: options[name] for name, key in _RDT_FLAGS.items() if options[name]}
        if schemas:
            _update_rdt(container, schemas)
    return 0


def read(path: str) -> "dict[str, Any]":
    """The resources of a file."""
    if path == "-":
        content = sys.stdin.buffer.read()
    else:
        with open(path, "rb") as file:
            content = file.read()
    try:
        found = jsontext.loads(content)
    except ValueError as error:
        raise InvalidArgument(f"cannot parse resources: {error}") from error
    if not isinstance(found, dict):
        raise InvalidArgument("cannot parse resources: no JSON object")
    return found


def from_flags(options: "Options") -> "dict[str, Any]":
    """The resources that the flags ask for."""
    found: dict[str, Any] = {}
    for name, (place, kind, _) in _FLAGS.items():
        given = options[name]
        if not place or given in (None, ""):
            continue
        group, _, key = place.partition(".")
        found.setdefault(group, {})[key] = _value(name, kind, given)
    return found


def _value(name: str, kind: str, given: "str | int") -> "str | int":
    if kind == "word" or isinstance(given, int):
        return given
    try:
        value = int(given) if kind == "number" else size_bytes(given)
    except ValueError as error:
        raise InvalidArgument(f"invalid value for {name}: {given!r}") from error
    # Only these have a meaning below zero: "no limit".
    if value < 0 and name not in ("cpu-quota", "cpu-rt-runtime", "memory", "memory-swap", "memory-reservation"):
        raise InvalidArgument(f"invalid value for {name}: {given!r}")
    return value


def size_bytes(word: str) -> int:
    """Bytes of a number with a binary suffix; -1 is itself. ValueError when it is neither."""
    if word == "-1":
        return -1
    lowered = word.strip().lower()
    digits = lowered.rstrip("abcdefghijklmnopqrstuvwxyz").rstrip()
    suffix = lowered[len(digits) :].strip()
    for tail in ("ib", "b"):
        if suffix != "b" and suffix.endswith(tail):
            suffix = suffix.removesuffix(tail)
            break
    if suffix not in _SUFFIXES or not digits.replace(".", "", 1).isdecimal():
        raise ValueError(word)
    return int(float(digits) * (1 << _SUFFIXES[suffix])) if "." in digits else int(digits) << _SUFFIXES[suffix]


def _apply(container: Container, wanted: "dict[str, Any]") -> None:
    if not wanted:
        return
    linux = container.spec.setdefault("linux", {})
    merged = merge(linux.get("resources") or {}, wanted)
    container.cgroup().update(complete(wanted, merged))
    linux["resources"] = merged
    container.save_spec()


def merge(old: "dict[str, Any]", new: "dict[str, Any]") -> "dict[str, Any]":
    """`old` with what `new` has; lists are replaced as a whole."""
    merged = dict(old)
    for key, value in new.items():
        before = merged.get(key)
        merged[key] = before | value if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def complete(wanted: "dict[str, Any]", merged: "dict[str, Any]") -> "dict[str, Any]":
    """`wanted` with the other half of what the kernel or systemd takes as a pair only."""
    full = {key: dict(value) if isinstance(value, dict) else value for key, value in wanted.items()}
    cpu, memory = full.get("cpu"), full.get("memory")
    if cpu is not None and ("period" in cpu) != ("quota" in cpu):
        for key in ("period", "quota"):
            if key not in cpu and merged["cpu"].get(key) is not None:
                cpu[key] = merged["cpu"][key]
    if memory is not None and memory.get("limit") == -1 and "swap" not in memory:
        # Swap is counted together with memory: without a limit of one there can be none of both.
        memory["swap"] = merged["memory"]["swap"] = -1
    elif memory is not None and "swap" in memory and "limit" not in memory and merged["memory"].get("limit"):
        memory["limit"] = merged["memory"]["limit"]
    return full


def _update_rdt(container: Container, schemas: "dict[str, str]") -> None:
    rdt = (container.spec.get("linux") or {}).get("intelRdt")
    if not rdt:
        raise Conflict("updating a non-existent Intel RDT configuration is not supported")
    from sampan.runtime import resctrl

    group = resctrl.group_for(rdt, container.id)
    group.update(l3_cache_schema=schemas.get("l3CacheSchema", ""), mem_bw_schema=schemas.get("memBwSchema", ""))
    rdt.update(schemas)
    container.save_spec()
