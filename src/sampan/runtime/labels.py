"""AppArmor profiles and SELinux labels: of the program to be executed, of mounts, of the session keyring.

Order       `check` before anything is made, while /sys is the host's. `apply` before the container's root is entered
            or joined: it only tells the kernel what the next execve(2) shall change to.
Trust       A label that is written to something else than the kernel's file protects nothing: everything goes through
            a procfs of `linux.trustedproc` (CVE-2019-16884, CVE-2025-52881).
Errors      StageError, in runc's words.
Spec        runtime-spec 1.2, config.md "Linux Process" (apparmorProfile, selinuxLabel), config-linux.md "Mount Label";
            apparmor(7), aa_change_onexec(2), selinux(8), proc_pid_attr(5).
"""

import os

from sampan.linux import trustedproc
from sampan.runtime.restrict import StageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

_APPARMOR_ENABLED = "/sys/module/apparmor/parameters/enabled"
_SELINUX_FILESYSTEM = "/sys/fs/selinux"
_SELINUX_XATTR = "security.selinux"
# Their files get labels from the policy (proc, sysfs), or by an attribute of the root (mqueue).
_NO_CONTEXT = ("proc", "sysfs", "mqueue", "cgroup", "cgroup2")
CONTEXT_TYPES = ("context", "fscontext", "defcontext", "rootcontext")


def is_apparmor_enabled() -> bool:
    """Whether the kernel enforces AppArmor profiles."""
    # Not /sys/kernel/security: from a user namespace that cannot be seen.
    try:
        with open(_APPARMOR_ENABLED, "rb") as file:
            return file.read(1) == b"Y"
    except OSError:
        return False


def is_selinux_enabled(proc_fd: int = -1) -> bool:
    """Whether a policy is loaded: the processes then have labels."""
    if not os.path.exists(_SELINUX_FILESYSTEM):
        return False  # the kernel makes the directory when it has SELinux, also where nothing is mounted on it
    if proc_fd < 0:
        own_fd = trustedproc.open_proc()
        try:
            return is_selinux_enabled(own_fd)
        finally:
            os.close(own_fd)
    try:
        # AppArmor's "current" is a name, SELinux's without a policy "kernel"; a label has three or four parts.
        return trustedproc.read_self(proc_fd, "attr/current").count(b":") >= 2
    except OSError:
        return False


def check(process: "Json") -> None:
    """Refuse labels that nobody would enforce."""
    if process.get("apparmorProfile") and not is_apparmor_enabled():
        raise StageError("unable to apply apparmor profile: apparmor: config provided but apparmor not supported")
    if process.get("selinuxLabel") and not is_selinux_enabled():
        raise StageError("selinux label is specified in config, but selinux is disabled or not supported")


def apply(process: "Json", proc_fd: int = -1) -> None:
    """Have the next execve(2) change to the profile and the label that the process asks for; nothing for none."""
    profile, label = process.get("apparmorProfile"), process.get("selinuxLabel")
    if not profile and not label:
        return
    if proc_fd < 0:
        own_fd = trustedproc.open_proc()
        try:
            apply(process, own_fd)
        finally:
            os.close(own_fd)
        return
    if label:
        _write(proc_fd, "attr/exec", label, "can't set process label")
    if profile:
        _set_profile(proc_fd, profile, no_new_privileges=bool(process.get("noNewPrivileges")))


def _set_profile(proc_fd: int, profile: str, *, no_new_privileges: bool) -> None:
    # Beside another security module the file without a module's name may be that one's.
    folder = "attr/apparmor" if _exists(proc_fd, "attr/apparmor/exec") else "attr"
    is_stacked = no_new_privileges and _is_confined(proc_fd, folder)
    # With no_new_privs a confined process may only be confined further (apparmor_parser documentation, "stacking").
    word = "stack" if is_stacked else "exec"
    what = "unable to apply apparmor profile: apparmor failed to apply profile"
    _write(proc_fd, f"{folder}/exec", f"{word} {profile}", what)


def _exists(proc_fd: int, name: str) -> bool:
    try:
        os.close(trustedproc.open_self(proc_fd, name, os.O_WRONLY))
    except FileNotFoundError:
        return False
    except OSError:
        return True  # writing to it will tell what is wrong
    return True


def _is_confined(proc_fd: int, folder: str) -> bool:
    try:
        current = trustedproc.read_self(proc_fd, f"{folder}/current")
    except OSError:
        return True  # when in doubt
    return current.split(b" ")[0].rstrip(b"\n\0") != b"unconfined"


def set_key_label(proc_fd: int, label: str) -> None:
    """The SELinux label of the keys, and keyrings, that this thread makes from now on; "" for the policy's own."""
    _write(proc_fd, "attr/keycreate", label, "can't set key label")


def _write(proc_fd: int, name: str, value: str, what: str) -> None:
    try:
        trustedproc.write_self(proc_fd, name, value)
    except OSError as error:
        where = error.filename or f"/proc/thread-self/{name}"
        raise StageError(f"{what}: write {where}: {(error.strerror or str(error)).lower()}") from error


def mount_data(fstype: str, data: str, label: str, *, context_type: str = "context") -> str:
    """The options of a new file system, with the SELinux label that its files shall have; for an enabled SELinux."""
    if not label or fstype in _NO_CONTEXT:
        return data
    if context_type not in CONTEXT_TYPES:
        raise StageError(f"invalid mount context type {context_type!r}")
    context = f'{context_type}="{label}"'
    return f"{data},{context}" if data else context


def label_root(fstype: str, root_fd: int, label: str) -> None:
    """The label of what takes none as a mount option; `root_fd` is its root, opened for reading."""
    if label and fstype == "mqueue":
        try:
            os.setxattr(root_fd, _SELINUX_XATTR, label.encode())
        except OSError as error:
            raise StageError(f"label {fstype}: {(error.strerror or '').lower()}") from error
