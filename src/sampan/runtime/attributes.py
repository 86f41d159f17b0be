"""What the OCI config says of a process's scheduling, memory placement, personality and oom score.

Costs       The usual config asks for none of it: then this is one system call, and no further module is imported.
Order       (exec) `set_initial_affinity` before the container's cgroup is entered; then, in the cgroup and before
            privileges go and before a system call filter: `apply`. Within it the affinity comes first, because
            SCHED_DEADLINE is not to be had with one smaller than the machine, and the personality last.
Afterwards  a process of SCHED_DEADLINE cannot fork (unless its flags say reset on fork), and with LINUX32 uname(2)
            tells of another machine.
Errors      StageError, in runc's words; for a deadline that the kernel refuses in crun's, which tell why.
Spec        runtime-spec 1.3, config.md "Linux Process", config-linux.md "Personality", "Memory policy".
"""

from sampan.linux import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

# What an exec takes from the container's own process when it does not say (`runc exec --process`).
INHERITED = ("scheduler", "ioPriority", "execCPUAffinity", "apparmorProfile", "selinuxLabel")

_EVERY_CPU = b"\xff" * 8192  # the kernel takes of it what it can have


def inherit(process: "Json", container_process: "Json") -> "Json":
    """The process of an exec, with what it leaves to the container's."""
    found = {name: container_process[name] for name in INHERITED if container_process.get(name)}
    return found | {name: value for name, value in process.items() if value or name not in found}


def load(process: "Json", linux: "Json") -> None:
    """Import what `apply` will need: in a container's root there is nothing to import from."""
    if process.get("scheduler") is not None:
        __import__("sampan.runtime.scheduler")
    if process.get("execCPUAffinity"):
        __import__("sampan.runtime.affinity")
    asked = process.get("ioPriority"), linux.get("memoryPolicy"), linux.get("personality")
    if any(value is not None for value in asked):
        __import__("sampan.runtime.policies")


def label(process: "Json") -> None:
    """Have the next execve(2) change to the AppArmor profile and the SELinux label that are asked for."""
    if process.get("apparmorProfile") or process.get("selinuxLabel"):
        from sampan.runtime import labels

        labels.apply(process)


def apply(process: "Json", linux: "Json", *, is_exec: bool = False) -> None:
    """Give the calling process all of it but the oom score."""
    _set_affinity(process.get("execCPUAffinity") if is_exec else None)
    if process.get("scheduler") is not None:
        from sampan.runtime import scheduler

        cpu = (linux.get("resources") or {}).get("cpu") or {}
        scheduler.set_scheduler(process["scheduler"], has_cpuset=bool(cpu.get("cpus")))
    asked = process.get("ioPriority"), linux.get("memoryPolicy"), linux.get("personality")
    if any(value is not None for value in asked):
        from sampan.runtime import policies

        policies.set_all(*asked)


def set_initial_affinity(process: "Json") -> None:
    """`execCPUAffinity.initial`: where an exec runs until it is in the container's cgroup."""
    if process.get("execCPUAffinity"):
        from sampan.runtime import affinity

        affinity.set_initial(process["execCPUAffinity"])


def _set_affinity(wanted: "Json | None") -> None:
    if wanted and (wanted.get("initial") or wanted.get("final")):
        from sampan.runtime import affinity

        affinity.set_final(wanted)
        return
    try:
        # Every CPU that the cgroup allows, whatever the runtime's caller is bound to: an affinity from before the
        # move into the cgroup would stay (crun, OCPBUGS-15102).
        syscalls.sched_setaffinity(0, _EVERY_CPU)
    except OSError:
        # Where that is forbidden the process keeps what it inherited, as runc's do.
        return


def check(process: "Json", linux: "Json") -> "list[str]":
    """Refuse, before anything is made, what cannot be meant; returns warnings."""
    if process.get("scheduler") is not None:
        from sampan.runtime import scheduler

        scheduler.check(process["scheduler"])
    if process.get("execCPUAffinity"):
        from sampan.runtime import affinity

        affinity.check(process["execCPUAffinity"])
    asked = process.get("ioPriority"), linux.get("memoryPolicy"), linux.get("personality")
    if any(value is not None for value in asked):
        from sampan.runtime import policies

        return policies.check(*asked)
    return []


def set_oom_score(process: "Json", proc_fd: int) -> None:
    """`process.oomScoreAdj`, through a procfs of `linux.trustedproc`; nothing when it is not given."""
    score = process.get("oomScoreAdj")
    if score is None:
        return
    from sampan.linux import trustedproc
    from sampan.runtime.restrict import StageError

    try:
        trustedproc.write_file(proc_fd, "self/oom_score_adj", str(int(score)))
    except OSError as error:
        raise StageError(f"write to /proc/self/oom_score_adj: {(error.strerror or '').lower()}") from error
