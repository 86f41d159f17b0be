"""CRIU driven by its command line: what `checkpoint` and `restore` have in common.

CRIU writes a container's processes to image files, and makes them again. What lies outside the container it has to be
told: mounts from the host ("external", by a key that both sides know), namespaces that were joined by path, pipes.

    key of a mount              its path in the container; "/dev/null" for a masked file
    key of a namespace          extRootNetNS, extRootPidNS (runc's, so that images can be exchanged)
    descriptors.json            in the image directory: what standard input, output and error were ("pipe:[123]")

Errors      NotFound: no CRIU. InvalidArgument: options. Internal: CRIU failed, with the last errors of its log.
Spec        criu(8)
"""

import os

from sampan.errors import Internal, InvalidArgument, NotFound
from sampan.runtime.command.options import switch, text, texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options
    from sampan.runtime.command.store import Container

DEFAULT_IMAGES = "checkpoint"
DESCRIPTORS = "descriptors.json"
NAMESPACE_KEYS = {"network": ("net", "extRootNetNS"), "pid": ("pid", "extRootPidNS")}
CGROUP_MODES = ("soft", "full", "strict", "ignore", "none", "props")
CONFIG_ANNOTATION = "org.criu.config"
CONFIG = "/etc/criu/runc.conf"
_ERRORS_SHOWN = 5

# Flags of both, most of them CRIU's own by the same name.
FLAGS = (
    text("image-path", "the directory of the image files", "DIR", DEFAULT_IMAGES),
    text("work-path", "where CRIU keeps its log and other files", "DIR"),
    switch("tcp-established", "keep TCP connections"),
    switch("ext-unix-sk", "allow unix sockets with a peer outside"),
    switch("shell-job", "allow processes of a shell's session"),
    switch("file-locks", "keep file locks"),
    switch("auto-dedup", "remove memory pages from the images as they become superfluous"),
    switch("lazy-pages", "restore memory when it is used (userfaultfd)"),
    texts("empty-ns", "make the network namespace, but not what is in it", "net"),
    text("manage-cgroups-mode", "what CRIU does with cgroups: soft, full, strict or ignore", "MODE", "soft"),
    text("network-lock", "how the network is held meanwhile: iptables, nftables or skip", "METHOD"),
)
_PASSED_ON = ("tcp-established", "ext-unix-sk", "shell-job", "file-locks", "auto-dedup", "lazy-pages")


def find(program: str) -> str:
    """The path of CRIU; NotFound when it is not installed."""
    if "/" in program:
        if os.access(program, os.X_OK):
            return program
    else:
        for folder in os.environ.get("PATH", os.defpath).split(":"):
            if os.access(f"{folder}/{program}", os.X_OK):
                return f"{folder}/{program}"
    raise NotFound(f"checkpoint and restore need CRIU: {program}: executable file not found")


def common_words(container: "Container", options: "Options") -> "list[str]":
    """The options that mean the same for both."""
    mode = options["manage-cgroups-mode"] or "soft"
    if mode not in CGROUP_MODES:
        raise InvalidArgument(f"Invalid manage-cgroups-mode: {mode}")
    if any(name not in ("net", "network") for name in options["empty-ns"]):
        raise InvalidArgument(f"namespace {options['empty-ns'][0]!r} is not supported")
    words = ["-v4", f"--manage-cgroups={mode}", "--evasive-devices"]
    words += [f"--{name}" for name in _PASSED_ON if options[name]]
    if "network" in new_namespaces(container.spec):
        # What is in it is for whoever set it up to set up again.
        words += ["--empty-ns", "net"]
    if options["network-lock"]:
        words += ["--network-lock", options["network-lock"]]
    return words + _config_words(container.annotations)


def _config_words(annotations: "dict[str, str]") -> "list[str]":
    path = annotations.get(CONFIG_ANNOTATION, CONFIG)
    return ["--config", path] if path and os.path.exists(path) else []


def directories(options: "Options", *, make: bool) -> "list[str]":
    """The words for image and work directory, which are made when missing."""
    images = os.path.abspath(options["image-path"] or DEFAULT_IMAGES)
    if make:
        os.makedirs(images, 0o700, exist_ok=True)
    elif not os.path.isdir(images):
        raise NotFound(f"invalid directory to restore checkpoint: {images} does not exist")
    words = ["--images-dir", images]
    if options["work-path"]:
        work = os.path.abspath(options["work-path"])
        os.makedirs(work, 0o700, exist_ok=True)
        words += ["--work-dir", work]
    return words


def new_namespaces(spec: "dict[str, Any]") -> "set[str]":
    """The kinds that the container has of its own."""
    entries = (spec.get("linux") or {}).get("namespaces") or []
    return {entry["type"] for entry in entries if not entry.get("path")}


def joined_namespaces(spec: "dict[str, Any]") -> "dict[str, str]":
    """Kind and path of those that were there before."""
    entries = (spec.get("linux") or {}).get("namespaces") or []
    return {entry["type"]: entry["path"] for entry in entries if entry.get("path")}


def external_mounts(container: "Container") -> "dict[str, str]":
    """Path in the container to source on the host, of everything that is bound from there."""
    found = {}
    for mount in container.spec.get("mounts") or []:
        words = mount.get("options") or []
        if mount.get("type") == "bind" or "bind" in words or "rbind" in words:
            source = os.path.join(container.bundle, mount["source"])
            found[path_inside(container.rootfs, mount["destination"])] = source
        elif mount.get("type") == "cgroup":
            found.update(_bound_cgroups(container, mount["destination"]))
    for device in (container.spec.get("linux") or {}).get("devices") or []:
        found[device["path"]] = device["path"]
    return found


def _bound_cgroups(container: "Container", target: str) -> "dict[str, str]":
    cgroup = container.cgroup()
    if "cgroup" in new_namespaces(container.spec) or cgroup.version == 0:
        return {}  # mounts of their own
    if cgroup.version == 2:
        return {target: cgroup.folders[""]}
    from sampan.runtime.cgroupmount import hierarchies

    return {f"{target}/{names[0]}": folder for folder, names, _ in hierarchies(cgroup.folders)}


def path_inside(rootfs: str, unsafe_path: str) -> str:
    """Where a path of the container leads to in its root, as far as that is there."""
    from sampan.linux.rootpath import open_in_root

    root_fd = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = open_in_root(root_fd, unsafe_path, os.O_PATH)
    except OSError:
        return os.path.normpath("/" + unsafe_path.lstrip("/"))
    finally:
        os.close(root_fd)
    try:
        return os.readlink(f"/proc/self/fd/{fd}").removeprefix(os.path.realpath(rootfs)) or "/"
    finally:
        os.close(fd)


def check_possible(context: "Context", container: "Container") -> None:
    """InvalidArgument for what cannot be done at all; a warning where it is unlikely."""
    if (container.spec.get("process") or {}).get("terminal"):
        raise InvalidArgument("a container with a terminal cannot be checkpointed or restored")
    if context.rootless:
        context.log.warning("checkpoint and restore are untested with rootless containers")


def failure(action: str, status: int, log_path: str) -> Internal:
    """What CRIU's end means, with the errors from its log."""
    try:
        with open(log_path, encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file if "Error (" in line]
    except OSError:
        lines = []
    code = os.waitstatus_to_exitcode(status)
    said = "; ".join(lines[-_ERRORS_SHOWN:])
    return Internal(f"criu failed: {action}: exit status {code}\nlog file: {log_path}" + (f"\n{said}" if said else ""))


def log_path(words: "list[str]", name: str) -> str:
    """Where CRIU writes its log: in the work directory, if there is one."""
    places = dict(zip(words[::2], words[1::2], strict=False))
    return f"{places.get('--work-dir') or places['--images-dir']}/{name}"
