"""Removing what a container leaves in the kernel and below the exec root, by whoever is there to do it.

The shim does it at the end of its container. When the shim itself was killed, a helper of the launcher does, from the
shim's state file: kill what runs, remove the cgroups, write the exit record that the shim could not.
"""

import errno
import os
import time

from sampan.base import jsontext
from sampan.base.atomicfile import write_atomic
from sampan.linux.process import kill_if_same
from sampan.runtime.cgroup.detect import cgroup_for
from sampan.runtime.ground import SOCKET, STATE
from sampan.runtime.request import ExitRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    from sampan.runtime.cgroup.detect import Cgroup
else:
    import _signal as signal  # the same functions without the enums around them

KILLED_EXIT_CODE = 137
PATIENCE_S = 5.0


def remove_cgroup(cgroup: "Cgroup") -> None:
    """Remove a cgroup, killing whatever is still inside; gives up after PATIENCE_S with OSError EBUSY."""
    deadline = time.monotonic() + PATIENCE_S
    pause_s = 0.0005
    while True:
        try:
            cgroup.remove()
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
        for pid in cgroup.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.05)


def remove_exec_dir(exec_dir: str) -> None:
    """Remove a shim's directory with all it holds."""
    for name in (SOCKET, STATE):
        try:
            os.unlink(f"{exec_dir}/{name}")
        except FileNotFoundError:
            continue
    try:
        os.rmdir(exec_dir)
    except OSError:
        _remove_tree(exec_dir)


def _remove_tree(path: str) -> None:
    # Not shutil.rmtree: its import brings three compression libraries, which every fork of the launcher would carry.
    for folder, folders, files in os.walk(path, topdown=False):
        for name in files:
            os.unlink(f"{folder}/{name}")
        for name in folders:
            os.rmdir(f"{folder}/{name}")
    if os.path.isdir(path):
        os.rmdir(path)


def clean_up(exec_dir: str, exit_path: str, cgroup_path: str) -> ExitRecord:
    """End a container whose shim is gone, and return its exit record, written if there was none."""
    try:
        with open(f"{exec_dir}/{STATE}", encoding="utf-8") as file:
            state = jsontext.loads(file.read())
    except (FileNotFoundError, ValueError):
        state = {}
    if state:
        # Until it is gone it may still make what is to be removed.
        kill_if_same(state["pid"], state["start_ticks"], patience_s=PATIENCE_S)
        cgroup_path = state["cgroup"]
        if state.get("runtime"):
            # Not before: most containers are our own runtime's.
            from sampan.runtime.shim.foreign import cleanup as foreign

            foreign.end(state, exec_dir)
    if cgroup_path:
        remove_cgroup(cgroup_for(cgroup_path))
    record = read_exit_record(exit_path)
    if record is None:
        text = "the container's supervisor was killed"
        now = time.time_ns()
        record = ExitRecord(
            exit_code=KILLED_EXIT_CODE, oom_killed=False, started_at_ns=0, finished_at_ns=now, error=text
        )
        write_atomic(exit_path, jsontext.dumps(record.to_json()).encode())
    remove_exec_dir(exec_dir)
    return record


def read_exit_record(exit_path: str) -> "ExitRecord | None":
    """The record of the last run, if it has ended."""
    try:
        with open(exit_path, encoding="utf-8") as file:
            return ExitRecord.from_json(jsontext.loads(file.read()))
    except FileNotFoundError:
        return None
