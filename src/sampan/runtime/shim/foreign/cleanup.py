"""Ending a container of another runtime whose shim is gone: `RUNTIME delete --force`, by whoever is there to do it."""

import os
import select

from sampan.linux import syscalls
from sampan.runtime.shim.foreign.command import become, command_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal  # the same functions without the enums around them

PATIENCE_S = 10.0


def end(state: "dict[str, Any]", exec_dir: str) -> None:
    """Let the runtime named in a shim's state delete the container; what it leaves goes with the cgroup."""
    log_path = f"{exec_dir}/log-cleanup.json"
    argv = command_line(state["runtime"], exec_dir, log_path, ["delete", "--force", state["id"]])
    pid, pidfd = syscalls.clone3(0, exit_signal=signal.SIGCHLD)
    if pid == 0:
        become(argv, log_path)
    try:
        if not select.select([pidfd], [], [], PATIENCE_S)[0]:
            syscalls.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.waitpid(pid, 0)
    finally:
        os.close(pidfd)
