"""What CRIU asks while it restores, through an action script (--action-script).

    CRIU ── runs ──▶ script ── "setup-namespaces 4242" ──▶ <directory>/criu.ask   ──▶ we run hooks
                     script ◀── its exit status ────────── <directory>/criu.answer ◀── and answer

Both are FIFOs. Without hooks there is no script, and nobody is asked.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SCRIPT = """#!/bin/sh
[ "$CRTOOLS_SCRIPT_ACTION" = setup-namespaces ] || exit 0
cd "$(dirname "$0")" || exit 1
echo "$CRTOOLS_INIT_PID" >criu.ask || exit 1
read -r answer <criu.answer || exit 1
exit "$answer"
"""


class Gate:
    """One restoration's; `failure` is what a hook raised."""

    __slots__ = ("_ask_fd", "_directory", "failure")

    def __init__(self, directory: str, *, is_wanted: bool) -> None:
        self._directory = directory
        self._ask_fd = -1
        self.failure: BaseException | None = None
        if not is_wanted:
            return
        for name in ("criu.ask", "criu.answer"):
            os.mkfifo(f"{directory}/{name}", 0o600)
        # Ours is open for writing as well, or it would be at its end after each question.
        self._ask_fd = os.open(f"{directory}/criu.ask", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fd = os.open(f"{directory}/criu.sh", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o700)
        os.write(fd, _SCRIPT.encode())
        os.close(fd)

    def words(self) -> "list[str]":
        """For CRIU's command line."""
        return ["--action-script", f"{self._directory}/criu.sh"] if self._ask_fd >= 0 else []

    def attend(self, pid: int, run_hooks: "Callable[[int], None]") -> int:
        """Answer until the process `pid` ends; its wait status."""
        import select

        if self._ask_fd >= 0:
            pidfd = os.pidfd_open(pid)
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            poll.register(self._ask_fd, select.POLLIN)
            while pidfd not in (ready := dict(poll.poll())):
                if self._ask_fd in ready:
                    self._answer(run_hooks)
            os.close(pidfd)
            os.close(self._ask_fd)
        return os.waitpid(pid, 0)[1]

    def _answer(self, run_hooks: "Callable[[int], None]") -> None:
        asked = os.read(self._ask_fd, 64)
        try:
            run_hooks(int(asked))
        except Exception as error:
            # CRIU must hear of it and give up; the reason is raised when it has.
            self.failure = error
        fd = os.open(f"{self._directory}/criu.answer", os.O_WRONLY | os.O_CLOEXEC)
        os.write(fd, b"1\n" if self.failure else b"0\n")
        os.close(fd)
