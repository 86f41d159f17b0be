"""The terminal of whoever runs `exec -t`: input that a container's program types."""

import os
import sys

import pytest

from support import attackimage, naive
from support.attacks import Arena, both
from support.frontend import program
from support.terminal import Terminal

TYPED = "smpx-was-here"
# A stand-in for the administrator's shell: runs a command, then looks at what has been typed meanwhile.
SHELL = f"""
import os, select, subprocess, sys, termios
subprocess.run(sys.argv[1:])
mode = termios.tcgetattr(0)
mode[3] &= ~termios.ICANON
termios.tcsetattr(0, termios.TCSANOW, mode)
typed = os.read(0, 1000) if select.select([0], [], [], 0.3)[0] else b""
print("TYPED" if {TYPED.encode()!r} in typed else "NOTHING", flush=True)
"""


@pytest.mark.needs_sampand
@both
@pytest.mark.parametrize("verb", ["exec", "run"])
def test_nothing_is_typed_at_the_administrators_terminal(arena: Arena, protected: bool, verb: str) -> None:
    """CVE-2016-9016 kin: a program on the terminal of `docker exec -t` or `docker run -t` pushes characters into its
    input (TIOCSTI), which the shell of whoever called it would execute. The container's terminal is one of its own.
    Switched off: chroot(1), on the caller's terminal."""
    attack = attackimage.command("terminals.type_ahead", text=TYPED)
    environment = {**os.environ, "DOCKER_HOST": f"unix://{arena.api.socket_path}"}
    with arena.container("sleep", "60") as made, naive.extracted() as root:
        own = ["exec", "-it", made] if verb == "exec" else ["run", "--rm", "-it", arena.image]
        command = [program("sampan"), *own, *attack] if protected else ["chroot", root, *attack]
        with Terminal([sys.executable, "-c", SHELL, *command], environment) as terminal:
            terminal.wait_text("VERDICT")
            found = terminal.wait_text("TYPED|NOTHING").group()
    assert found == ("NOTHING" if protected else "TYPED")
