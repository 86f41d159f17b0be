"""A command line under test: the stock `docker`, or our `sampan`, pointed at one engine."""

import os
import shutil
import subprocess
import sys
from typing import NamedTuple

from support.terminal import Terminal

TIMEOUT_S = 60.0


class Result(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Frontend:
    """Runs one program with DOCKER_HOST set. Text is decoded as UTF-8; `raw` gives bytes."""

    def __init__(self, name: str, socket_path: str) -> None:
        self.name = name
        self.program = program(name)
        self.env = {**os.environ, "DOCKER_HOST": f"unix://{socket_path}", "DOCKER_CLI_HINTS": "false"}
        self.env.pop("DOCKER_CONTEXT", None)

    def raw(self, *args: str, stdin: bytes | None = None, timeout_s: float = TIMEOUT_S) -> tuple[int, bytes, bytes]:
        """Exit code, stdout, stderr as bytes."""
        source = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        done = subprocess.run(
            [self.program, *args], env=self.env, capture_output=True, timeout=timeout_s, check=False, **source
        )
        return done.returncode, done.stdout, done.stderr

    def run(self, *args: str, stdin: bytes | None = None, timeout_s: float = TIMEOUT_S) -> Result:
        """Run to the end, whatever the exit code."""
        code, out, err = self.raw(*args, stdin=stdin, timeout_s=timeout_s)
        return Result(code, out.decode(), err.decode())

    def __call__(self, *args: str, stdin: bytes | None = None, timeout_s: float = TIMEOUT_S) -> str:
        """Run, insist on success, return stdout without the last newline."""
        result = self.run(*args, stdin=stdin, timeout_s=timeout_s)
        assert result.code == 0, f"{self.name} {' '.join(args)}: exit {result.code}\n{result.out}{result.err}"
        return result.out.removesuffix("\n")

    def popen(self, *args: str, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        """Start it with pipes for stdout and stderr."""
        return subprocess.Popen(
            [self.program, *args], env=self.env, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def terminal(self, *args: str, rows: int = 24, columns: int = 80) -> Terminal:
        """Start it on a terminal of its own."""
        return Terminal([self.program, *args], self.env, rows=rows, columns=columns)


def program(name: str) -> str:
    """`docker` from PATH; our own from the environment that runs the tests."""
    if name == "docker":
        return shutil.which("docker") or "docker"
    return os.path.join(os.path.dirname(sys.executable), name)
