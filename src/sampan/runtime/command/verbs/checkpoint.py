"""`checkpoint`: writes a container's processes to files, with CRIU; the container goes, unless it is to go on."""

import os

from sampan.base import jsontext
from sampan.base.atomicfile import write_atomic
from sampan.errors import Conflict, InvalidArgument
from sampan.runtime.command import criu
from sampan.runtime.command.destroy import destroy
from sampan.runtime.command.options import Command, number, switch, text
from sampan.runtime.command.signals import wait_end
from sampan.runtime.command.store import PAUSED, RUNNING, Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

LOG = "dump.log"
_PATIENCE_S = 10.0

COMMAND = Command(
    "checkpoint",
    "CONTAINER",
    "write a running container's state to files, with CRIU",
    (
        *criu.FLAGS,
        text("parent-path", "an earlier pre-dump, relative to the image directory", "DIR"),
        switch("leave-running", "let the container go on"),
        switch("pre-dump", "write memory only, ahead of the checkpoint; the container goes on"),
        switch("link-remap", "allow deleted files to get a name again"),
        switch("tcp-skip-in-flight", "leave out TCP connections that are being made"),
        text("page-server", "send memory to a CRIU page server", "ADDRESS:PORT"),
        number("status-fd", "with --lazy-pages: a zero byte is written to descriptor N when all is ready"),
    ),
)


def run(context: "Context", options: "Options") -> int:
    program = criu.find(context.criu)
    with Container.load(context.root, options.arguments[0]).locked() as container:
        status = container.status()
        if status not in (RUNNING, PAUSED):
            raise Conflict(f"Container cannot be checkpointed in {status} state")
        places = criu.directories(options, make=True)
        words = [program, *dump_words(container, options, places[1]), *places]
        criu.check_possible(context, container)
        if not options["pre-dump"]:
            _write_descriptors(container, places[1])
        context.log.debug(" ".join(words))
        pid = os.posix_spawn(program, words, os.environ)
        _, ended = os.waitpid(pid, 0)
        if ended:
            raise criu.failure("dump", ended, criu.log_path(places, LOG))
        if not options["leave-running"] and not options["pre-dump"]:
            wait_end(container, _PATIENCE_S)
            destroy(context, container)
    return 0


def dump_words(container: Container, options: "Options", images: str) -> "list[str]":
    """CRIU's command line but for its directories."""
    words = ["pre-dump" if options["pre-dump"] else "dump", "--tree", str(container.pid), "--log-file", LOG]
    words += ["--root", container.rootfs, *criu.common_words(container, options)]
    for name, flag in (("link-remap", "--link-remap"), ("tcp-skip-in-flight", "--skip-in-flight")):
        words += [flag] if options[name] else []
    if options["leave-running"] and not options["pre-dump"]:
        words.append("--leave-running")
    if options["parent-path"]:
        words += ["--prev-images-dir", _checked_parent(options["parent-path"], images), "--track-mem"]
    elif options["pre-dump"]:
        words.append("--track-mem")
    if options["page-server"]:
        words += _page_server(options["page-server"])
    if options["status-fd"] is not None:
        words += ["--status-fd", str(_checked_status_fd(options["status-fd"]))]
    cgroup = container.cgroup()
    freezer = cgroup.folders.get("freezer" if cgroup.version == 1 else "")
    words += ["--freeze-cgroup", freezer] if freezer else []
    return words + _external_namespaces(container) + ([] if options["pre-dump"] else _external_mounts(container))


def _external_namespaces(container: Container) -> "list[str]":
    words = []
    for kind, path in criu.joined_namespaces(container.spec).items():
        if kind in criu.NAMESPACE_KEYS:
            name, key = criu.NAMESPACE_KEYS[kind]
            words += ["--external", f"{name}[{os.stat(path).st_ino}]:{key}"]
    return words


def _external_mounts(container: Container) -> "list[str]":
    words = []
    for path in criu.external_mounts(container):
        words += ["--external", f"mnt[{path}]:{path}"]
    for path in (container.spec.get("linux") or {}).get("maskedPaths") or []:
        # Masked directories lie behind a tmpfs, which is no matter of the host's.
        seen = f"/proc/{container.pid}/root{path}"
        if os.path.exists(seen) and not os.path.isdir(seen):
            words += ["--external", f"mnt[{path}]:/dev/null"]
    return words


def _checked_parent(parent: str, images: str) -> str:
    if os.path.isabs(parent):
        raise InvalidArgument("--parent-path must be relative")
    if not os.path.isdir(os.path.join(images, parent)):
        raise InvalidArgument(f"invalid --parent-path: {os.path.join(images, parent)} is no directory")
    return parent


def _page_server(word: str) -> "list[str]":
    address, _, port = word.rpartition(":")
    if not address or not port:
        raise InvalidArgument("Use --page-server ADDRESS:PORT to specify page server")
    if not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise InvalidArgument("Invalid port number")
    return ["--page-server", "--address", address.strip("[]"), "--port", port]


def _checked_status_fd(fd: int) -> int:
    import fcntl

    try:
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    except (OSError, ValueError, OverflowError) as error:
        raise InvalidArgument(f"invalid --status-fd argument {fd}: it is not open") from error
    if flags & os.O_ACCMODE == os.O_RDONLY:
        raise InvalidArgument(f"invalid --status-fd argument {fd}: not writable")
    return fd


def _write_descriptors(container: Container, images: str) -> None:
    names = container.notes.get("descriptors")
    if names is None:
        names = [_link(f"/proc/{container.pid}/fd/{fd}") for fd in range(3)]
    write_atomic(f"{images}/{criu.DESCRIPTORS}", jsontext.dumps(names).encode("utf-8", "surrogateescape"))


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return ""
