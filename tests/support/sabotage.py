"""A daemon without some of its safeguards, so that the attacks they stop can be seen to succeed.

The product has no switch for its own safety, and is to have none. So a sabotaged daemon is the product's code with
functions replaced as it is imported: this file is executed in place of `sampand`, and by the launcher before its own
code. Each safeguard is a function of SAFEGUARDS; most take away one thing, the pauses only give a race its time.

Usage        python sabotage.py NAME[,NAME...] sampand's flags
"""

import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LEAKED_FD = 63
STEP_PAUSE_S = 0.002
EXECVE_PAUSE_S = 0.3
_LAUNCHER = "from sampan.runtime.launcher.main import main"


def dumpable() -> None:
    """Processes of ours can be traced, and their files in /proc opened, up to their execve."""
    from sampan.linux import constants, syscalls

    prctl = syscalls.prctl

    def without(option: int, *rest: int) -> int:
        return 0 if option == constants.PR_SET_DUMPABLE else prctl(option, *rest)

    syscalls.prctl = without


def leaked_descriptor() -> None:
    """A container's processes inherit LEAKED_FD, the host's root directory (CVE-2024-21626)."""
    from sampan.linux import syscalls
    from sampan.runtime import restrict

    default_signals = restrict.default_signals

    def leak() -> None:
        # At the first thing that init and an exec do, both in the host's view.
        found = os.open("/", os.O_PATH | os.O_DIRECTORY)
        os.dup2(found, LEAKED_FD, inheritable=True)
        os.close(found)
        default_signals()

    restrict.default_signals = leak
    syscalls.close_range = lambda first, last, flags=0: None


def working_directory() -> None:
    """The working directory is entered by its name, wherever that leads."""
    from sampan.runtime import restrict

    restrict.enter_directory = lambda root_fd, path, *_, **__: os.chdir(path)


def session_keyring() -> None:
    """Containers keep the session keyring of whoever started the daemon."""
    from sampan.linux import syscalls

    syscalls.join_session_keyring = lambda name: None


def own_group() -> None:
    """The primary group is not among the supplementary ones (CVE-2022-36109)."""
    setgroups = os.setgroups
    os.setgroups = lambda groups: setgroups([])


def host_groups() -> None:
    """The supplementary groups are those of the daemon."""
    os.setgroups([0, 5, 6])
    os.setgroups = lambda groups: None


def inheritable() -> None:
    """What a process may have, its programs may inherit (CVE-2022-24769, CVE-2022-29162)."""
    from sampan.linux import syscalls

    capset = syscalls.capset
    syscalls.capset = lambda effective, permitted, _: capset(effective, permitted, 0xA80425FB)


def step_pauses() -> None:
    """Nothing is missing, but the building of a container's root takes its time, so that races have theirs."""
    import time

    from sampan.linux import syscalls

    def slowly(action):  # type: ignore[no-untyped-def]
        def paused(*args, **options):  # type: ignore[no-untyped-def]
            time.sleep(STEP_PAUSE_S)
            return action(*args, **options)

        return paused

    for name in ("mount", "move_mount", "open_tree", "mount_setattr"):
        setattr(syscalls, name, slowly(getattr(syscalls, name)))


def execve_pause() -> None:
    """Nothing is missing, but there is time between the last restriction and execve."""
    import time

    from sampan.runtime import restrict

    find_program = restrict.find_program

    def slowly(args: "list[str]", environment: "list[str]") -> str:
        time.sleep(EXECVE_PAUSE_S)
        return find_program(args, environment)

    restrict.find_program = slowly


def guarded_interpreter() -> None:
    """In the daemon: the launcher runs from a plain file, a copy of the interpreter (CVE-2019-5736)."""
    import shutil

    from sampan.runtime.launcher import interpreter

    def plain(path: str) -> int:
        copy = os.path.join(os.environ["SAMPAN_TEST_FOLDER"], "interpreter")
        if not os.path.exists(copy):
            shutil.copy(path, copy)
        return os.open(copy, os.O_RDONLY | os.O_CLOEXEC)

    interpreter.guarded = plain


SAFEGUARDS = {
    function.__name__.replace("_", "-"): function
    for function in (
        dumpable,
        leaked_descriptor,
        working_directory,
        session_keyring,
        own_group,
        host_groups,
        inheritable,
        step_pauses,
        execve_pause,
    )
}
IN_DAEMON = {"guarded-interpreter": guarded_interpreter}


def in_launcher(names: "list[str]") -> None:
    """Take these away in the launcher, and so in what it forks."""
    for name in names:
        if name not in IN_DAEMON:
            SAFEGUARDS[name]()


def main() -> None:
    """Be `sampand` without the safeguards that the first argument names."""
    sys.path[0] = TESTS
    names, sys.argv = sys.argv[1].split(","), ["sampand", *sys.argv[2:]]
    from sampan.runtime.launcher import interpreter

    command = interpreter.command

    def sabotaged(*args: object) -> "list[str]":
        *argv, text = command(*args)
        assert _LAUNCHER in text, text
        taken = f"sys.path.append({TESTS!r}); from support import sabotage; sabotage.in_launcher({names!r}); "
        return [*argv, text.replace(_LAUNCHER, taken + _LAUNCHER)]

    interpreter.command = sabotaged
    for name in names:
        if name in IN_DAEMON:
            IN_DAEMON[name]()
    from sampan.daemon import main as daemon

    daemon.main()


if __name__ == "__main__":
    main()
