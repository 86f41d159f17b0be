"""What every verb gets besides its own options."""

from sampan.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sampan.runtime.command.log import Log


class CommandFailed(Error):
    """A failure with an exit status of its own (`exec` says 255 when the process could not be started)."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Context:
    """The global options: `root` holds the state directories, `cgroup_manager` is cgroupfs, systemd or disabled.

    `is_default_root`   nobody has named `root`: it need not exist
    `rootless`  failures to set up cgroups are to be tolerated, for want of rights.
    `criu`      the program for checkpoint and restore.
    """

    __slots__ = ("cgroup_manager", "criu", "debug", "is_default_root", "log", "root", "rootless")

    def __init__(
        self,
        root: str,
        log: "Log",
        *,
        cgroup_manager: str = "cgroupfs",
        rootless: bool = False,
        debug: bool = False,
        criu: str = "criu",
        is_default_root: bool = False,
    ) -> None:
        self.root = root
        self.log = log
        self.cgroup_manager = cgroup_manager
        self.rootless = rootless
        self.debug = debug
        self.criu = criu
        self.is_default_root = is_default_root
