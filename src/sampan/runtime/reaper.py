"""A minimal init for `--init`: PID 1 passes signals on to the program and reaps what it orphans.

PID 1 stays what it was, a copy of the shim's interpreter, not dumpable and without descriptors; the program is its
child. It ends as the program ends: with its exit code, or 128 and the signal's number.
"""

import os

from sampan.linux import syscalls
from sampan.linux.title import set_title

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn
else:
    import _signal as signal  # the same functions without the enums around them

ANNOTATION = "sampan.init"
# What the program is to see itself, or what the kernel means for PID 1 alone.
_NOT_FORWARDED = {signal.SIGCHLD, signal.SIGKILL, signal.SIGSTOP, signal.SIGTTIN, signal.SIGTTOU}
_NOT_FORWARDED |= {
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGTRAP,
    signal.SIGSYS,
    signal.SIGABRT,
}


def split() -> None:
    """Fork: the child returns, to become the program; the parent becomes its reaper and never returns.

    The child leads a process group of its own, in the foreground of the terminal if there is one.
    """
    signals = set(signal.valid_signals()) - _NOT_FORWARDED | {signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    child = os.fork()
    if child:
        _reap(child, signals)
    os.setpgid(0, 0)
    if os.isatty(0):
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpgrp())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _reap(child: int, signals: "set[signal.Signals]") -> "NoReturn":
    set_title(b"sampan-init")
    syscalls.close_range(0, 0xFFFFFFFF)
    while True:
        number = signal.sigwait(signals)
        if number != signal.SIGCHLD:
            _pass_on(child, number)
            continue
        while (ended := _ended()) is not None:
            pid, status = ended
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                os._exit(code if code >= 0 else 128 - code)


def _pass_on(child: int, number: int) -> None:
    try:
        os.kill(child, number)
    except ProcessLookupError:
        return


def _ended() -> "tuple[int, int] | None":
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None
