"""`features`: what this runtime can do, as JSON (runtime-spec, features.md).

Two values are narrower than the truth, because that is what clients of crun compare with: ociVersionMax, while the
fields of runtime-spec 1.2 are honoured too; and mountOptions, which leaves out nosymfollow, iversion, silent and so on.
"""

import sys

from sampan.linux.capabilities import NAMES
from sampan.runtime.command.config import HOOK_KINDS
from sampan.runtime.command.configlinux import NAMESPACES
from sampan.runtime.command.options import Command
from sampan.runtime.command.output import indented

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

COMMAND = Command("features", "", "print what this runtime can do", least=0, most=0)

_MOUNT_OPTIONS = (
    "async atime bind copy-symlink defaults dest-nofollow dev diratime dirsync exec idmap mand noatime nodev"
    " nodiratime noexec nomand norelatime nostrictatime nosuid private rasync ratime rbind rdev rdiratime"
    " rdirsync relatime remount rexec rmand rnoatime rnodev rnodiratime rnoexec rnomand rnorelatime"
    " rnostrictatime rnosuid ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsync runbindable"
    " rw shared slave src-nofollow strictatime suid sync tmpcopyup unbindable"
).split()
_ANNOTATIONS = {
    "org.opencontainers.runc.checkpoint.enabled": "true",
    "run.oci.crun.checkpoint.enabled": "true",
}
# What a config may carry that changes more than the specification says; a dot at the end stands for all that begin so.
_UNSAFE_ANNOTATIONS = [
    "module.wasm.image/variant",
    "io.kubernetes.cri.container-type",
    "run.oci.",
    "org.criu.",
    "krun.",
]
_POLICIES = "DEFAULT BIND INTERLEAVE WEIGHTED_INTERLEAVE PREFERRED PREFERRED_MANY LOCAL".split()
_POLICY_FLAGS = "NUMA_BALANCING RELATIVE_NODES STATIC_NODES".split()


def run(context: "Context", options: "Options") -> int:
    sys.stdout.write(indented(features(), indent="    ") + "\n")
    return 0


def features() -> "dict[str, Any]":
    """The whole object."""
    return {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": "1.1.0+dev",
        "hooks": list(HOOK_KINDS),
        "mountOptions": list(_MOUNT_OPTIONS),
        "linux": _linux(),
        "annotations": dict(_ANNOTATIONS),
        "potentiallyUnsafeConfigAnnotations": list(_UNSAFE_ANNOTATIONS),
    }


def _linux() -> "dict[str, Any]":
    return {
        "namespaces": sorted(NAMESPACES),
        "capabilities": list(NAMES),
        "cgroup": {"v1": True, "v2": True, "systemd": True, "systemdUser": True, "rdma": True},
        "seccomp": _seccomp(),
        "apparmor": {"enabled": True},
        "selinux": {"enabled": True},
        "intelRdt": {"enabled": True},
        "memoryPolicy": {
            "modes": [f"MPOL_{name}" for name in _POLICIES],
            "flags": [f"MPOL_F_{name}" for name in _POLICY_FLAGS],
        },
        "mountExtensions": {"idmap": {"enabled": True}},
        "netDevices": {"enabled": True},
    }


def _seccomp() -> "dict[str, Any]":
    from sampan.oci.seccomp.abis import ABIS
    from sampan.oci.seccomp.profile import ACTIONS, FLAGS, OPERATORS

    return {
        "enabled": True,
        "actions": sorted(ACTIONS),
        "operators": list(OPERATORS),
        "archs": sorted(ABIS),
        "knownFlags": list(FLAGS),
        "supportedFlags": list(FLAGS),
    }
