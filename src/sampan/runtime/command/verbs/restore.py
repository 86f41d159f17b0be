"""`restore`: makes a container again from what `checkpoint` wrote.

Order       1. the state directory, "creating"; the cgroup with its limits
            2. a child enters the cgroup and becomes CRIU, told what the outside is (`criu`)
            3. CRIU asks through `Gate` when namespaces are there: prestart and createRuntime hooks
            4. the restored process is a child of ours (--restore-sibling): it is recorded, and waited for, or not (-d)
            What fails leaves nothing behind.
Root        CRIU wants the root to be a mount point of its own: the rootfs is bound to <state directory>/criu-root for
            as long as it works.
"""

import os

from sampan.base import jsontext
from sampan.base.atomicfile import write_atomic
from sampan.errors import InvalidArgument
from sampan.runtime.command import config, criu, criugate
from sampan.runtime.command.destroy import destroy, kill_and_destroy
from sampan.runtime.command.options import Command, switch, text
from sampan.runtime.command.store import CREATING, Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.runtime.command.context import Context
    from sampan.runtime.command.options import Options

LOG = "restore.log"

COMMAND = Command(
    "restore",
    "CONTAINER",
    "bring a container back from a checkpoint",
    (
        *criu.FLAGS,
        text("bundle b", "the directory with config.json", "DIR", "."),
        switch("detach d", "return as soon as the program runs"),
        text("pid-file", "write the pid of the container's first process to FILE", "FILE"),
        text("console-socket", "not used: a container with a terminal cannot be restored", "PATH"),
        switch("tcp-close", "restore TCP connections closed"),
        switch("no-subreaper", "accepted, without effect"),
        switch("no-pivot", "accepted, without effect: CRIU enters the root"),
        text("lsm-profile", "another AppArmor or SELinux profile", "TYPE:NAME"),
        text("lsm-mount-context", "another SELinux context of mounts", "CONTEXT"),
    ),
)


def run(context: "Context", options: "Options") -> int:
    program = criu.find(context.criu)
    bundle = os.path.abspath(options["bundle"] or ".")
    places = criu.directories(options, make=False)
    spec = config.load(bundle)
    for warning in config.validate(spec, bundle, rootless=context.rootless):
        context.log.warning(warning)
    container = Container.make(context.root, options.arguments[0], bundle=bundle, spec=spec)
    try:
        criu.check_possible(context, container)
        container.cgroup_manager = context.cgroup_manager
        container.cgroup_path = (spec.get("linux") or {}).get("cgroupsPath") or ""
        pid = Restoration(context, container, options, places).run(program)
        container.set_process(pid)
        container.cgroup_path = container.cgroup().path
        container.save()
        if options["pid-file"]:
            write_atomic(options["pid-file"], str(pid).encode(), mode=0o644, durable=False)
    except BaseException:
        kill_and_destroy(context, container)
        raise
    if options["detach"]:
        return 0
    from sampan.runtime.command import foreground

    code = foreground.wait(pid, os.pidfd_open(pid))
    destroy(context, container)
    return code


class Restoration:
    """One run of CRIU."""

    def __init__(self, context: "Context", container: Container, options: "Options", places: "list[str]") -> None:
        self.context = context
        self.container = container
        self.options = options
        self.places = places
        self.root = f"{container.directory}/criu-root"
        self.pid_file = f"{container.directory}/criu.pid"

    def run(self, program: str) -> int:
        """The pid of the restored process."""
        from sampan.linux import syscalls
        from sampan.linux.constants import MNT_DETACH, MS_BIND, MS_REC

        make_mountpoints(self.container)
        os.mkdir(self.root, 0o755)
        syscalls.mount(self.container.rootfs, self.root, "", MS_BIND | MS_REC)
        try:
            self._run(program)
        finally:
            syscalls.umount2(self.root, MNT_DETACH)
            os.rmdir(self.root)
        with open(self.pid_file, encoding="ascii") as file:
            return int(file.read())

    def _run(self, program: str) -> None:
        cgroup = self.container.cgroup()
        cgroup.create()
        cgroup.apply((self.container.spec.get("linux") or {}).get("resources") or {})
        gate = criugate.Gate(self.container.directory, is_wanted=self._has_hooks())
        words = [program, *self._words(), *gate.words(), *self.places]
        read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if not pid:
            _become_criu(program, read_fd, write_fd)
        os.close(read_fd)
        with os.fdopen(write_fd, "wb") as pipe:
            # In the cgroup before it is told what to do, for what it makes is born there. Told nothing, it leaves.
            cgroup.adopt(pid)
            with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
                words += cgroup_roots(file.read(), cgroup.version)
            self.context.log.debug(" ".join(words))
            pipe.write(jsontext.dumps(words).encode("utf-8", "surrogateescape"))
        status = gate.attend(pid, self._run_hooks)
        if gate.failure is not None:
            raise gate.failure
        if status:
            raise criu.failure("restore", status, criu.log_path(self.places, LOG))

    def _has_hooks(self) -> bool:
        hooks = self.container.spec.get("hooks") or {}
        return bool(hooks.get("prestart") or hooks.get("createRuntime"))

    def _run_hooks(self, pid: int) -> None:
        from sampan.runtime import hooks as hook_runner

        state = self.container.state(CREATING) | {"pid": pid}
        for kind in ("prestart", "createRuntime"):
            found = (self.container.spec.get("hooks") or {}).get(kind) or []
            log = self.context.log.warning
            hook_runner.run(found, state, kind=kind, log=log, directory=self.container.bundle)

    def _words(self) -> "list[str]":
        container, options = self.container, self.options
        words = ["restore", "--restore-detached", "--restore-sibling", "--log-file", LOG, "--pidfile", self.pid_file]
        words += ["--root", self.root, *criu.common_words(container, options)]
        words += ["--tcp-close"] if options["tcp-close"] else []
        for name in ("lsm-profile", "lsm-mount-context"):
            words += [f"--{name}", options[name]] if options[name] else []
        mounts = criu.external_mounts(container)
        if (container.spec.get("linux") or {}).get("maskedPaths"):
            mounts["/dev/null"] = "/dev/null"
        for path, source in mounts.items():
            words += ["--external", f"mnt[{path}]:{source}"]
        return words + _namespaces(container) + inherited(_descriptors(self.places[1]))


def _become_criu(program: str, read_fd: int, write_fd: int) -> None:
    os.close(write_fd)
    try:
        with os.fdopen(read_fd, "rb") as pipe:
            text = pipe.read()
        if text:
            os.execv(program, jsontext.loads(text))
    finally:
        os._exit(1)


def _namespaces(container: Container) -> "list[str]":
    words = []
    for kind, path in criu.joined_namespaces(container.spec).items():
        if kind in criu.NAMESPACE_KEYS:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            os.set_inheritable(fd, True)  # for CRIU; this command ends soon after
            words += ["--inherit-fd", f"fd[{fd}]:{criu.NAMESPACE_KEYS[kind][1]}"]
        else:
            words += ["--join-ns", f"{kind}:{path}"]
    return words


def _descriptors(images: str) -> "list[str]":
    try:
        with open(f"{images}/{criu.DESCRIPTORS}", "rb") as file:
            found: list[str] = jsontext.loads(file.read())
    except (FileNotFoundError, ValueError) as error:
        raise InvalidArgument(f"{images} is no checkpoint of a container: {criu.DESCRIPTORS}: {error}") from error
    return found


def inherited(names: "list[str]") -> "list[str]":
    """Our standard streams take the place of the pipes that the container's were."""
    words = []
    for fd, name in enumerate(names):
        if name.startswith("pipe:"):
            words += ["--inherit-fd", f"fd[{fd}]:{name}"]
    return words


def cgroup_roots(text: str, version: int) -> "list[str]":
    """Where CRIU puts cgroups, from a /proc/<pid>/cgroup: "4:cpu,cpuacct:/x" and "0::/x"."""
    words = []
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if version == 2 and not controllers:
            words += ["--cgroup-root", path]
        elif version == 1 and controllers:
            for name in controllers.split(","):
                words += ["--cgroup-root", f"{name}:{path}"]
    return words


def make_mountpoints(container: Container) -> None:
    """CRIU mounts on what is there: make it, where it does not come back with the content of a tmpfs."""
    from sampan.linux.rootpath import open_or_create_directory, open_or_create_file

    mounts = container.spec.get("mounts") or []
    binds = {mount["destination"]: mount["source"] for mount in mounts if _is_bind(mount)}
    for mount in mounts:
        target = mount["destination"]
        below = parent(target, [other["destination"] for other in mounts])
        if mount.get("type") == "cgroup" or any(_is_tmpfs(other) and other["destination"] == below for other in mounts):
            continue
        base = os.path.join(container.bundle, binds[below]) if below in binds else container.rootfs
        is_file = _is_bind(mount) and not os.path.isdir(os.path.join(container.bundle, mount["source"]))
        fd = os.open(base, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            make = open_or_create_file if is_file else open_or_create_directory
            os.close(make(fd, target[len(below) :] if below in binds else target))
        finally:
            os.close(fd)


def _is_bind(mount: "dict[str, object]") -> bool:
    words = mount.get("options")
    return mount.get("type") == "bind" or (isinstance(words, list) and bool({"bind", "rbind"} & set(words)))


def _is_tmpfs(mount: "dict[str, object]") -> bool:
    return mount.get("type") == "tmpfs"


def parent(target: str, others: "list[str]") -> str:
    """The innermost of the other mount points that `target` lies in; "" for the root."""
    found = ""
    for other in others:
        prefix = other.rstrip("/") + "/"
        if target != other and target.startswith(prefix) and len(other) > len(found):
            found = other
    return found
