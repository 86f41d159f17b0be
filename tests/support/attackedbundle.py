"""The attackers' image as a bundle of `sampan-runtime`, as another engine would hand it over."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sampan.engine.spec import DEFAULT_MASKED_PATHS
from sampan.runtime.cgroup.detect import hierarchies
from sampan.runtime.command.verbs.spec import example
from support import attackimage, naive
from support.attacks import Verdict, judge
from support.terminal import Terminal

COMMAND = f"{os.path.dirname(sys.executable)}/sampan-runtime"
Json = dict[str, Any]


class Bundle:
    """A root, a config and the command; `change` is applied to the config of each run."""

    def __init__(self, rootfs: str) -> None:
        self.folder = tempfile.mkdtemp(prefix="smpx-bundle-", dir="/tmp")
        self.rootfs = rootfs

    def spec(self, *args: str) -> Json:
        """The command's own example, with these arguments, and masked as the engine's containers are."""
        found: Json = example(is_rootless=False, is_cgroup2=hierarchies().is_v2)
        found["process"] |= {"terminal": False, "args": list(args)}
        found["process"]["env"] += attackimage.environment()
        found["root"] = {"path": self.rootfs, "readonly": False}
        found["linux"]["maskedPaths"] = list(DEFAULT_MASKED_PATHS)
        return found

    def run(
        self,
        *args: str,
        change: Callable[[Json], object] = lambda spec: None,
        command: list[str] | None = None,
        options: tuple[str, ...] = (),
        **popen: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Run a container to its end."""
        name = self._write(args, change)
        argv = [*(command or [COMMAND]), *self._words(), *options, name]
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60, **popen
        )

    def _write(self, args: tuple[str, ...], change: Callable[[Json], object]) -> str:
        """Write the config; a name for the container."""
        name, spec = f"smpx-{uuid.uuid4().hex[:12]}", self.spec(*args)
        spec["linux"]["cgroupsPath"] = f"/{name}"
        change(spec)
        with open(f"{self.folder}/config.json", "w") as file:
            json.dump(spec, file)
        return name

    def _words(self) -> list[str]:
        return ["--root", f"{self.folder}/states", "run", "--bundle", self.folder]

    def run_on_terminal(self, *args: str, change: Callable[[Json], object]) -> str:
        """Run a container with a terminal to its end; what was to be seen there."""

        def with_terminal(spec: Json) -> None:
            spec["process"]["terminal"] = True
            change(spec)

        name = self._write(args, with_terminal)
        with Terminal([COMMAND, *self._words(), name], dict(os.environ)) as terminal:
            terminal.wait_exit()
            return terminal.seen

    def attack(
        self, program: str, *, arguments: Json | None = None, may_be_refused: bool = False, **options: Any
    ) -> Verdict:
        """Run an attack; one whose container was refused has failed, where that is an answer."""
        done = self.run(*attackimage.command(program, **(arguments or {})), **options)
        if may_be_refused and "VERDICT" not in done.stdout:
            assert done.returncode and "internal error" not in done.stderr, done
            return Verdict(False, done.stderr)
        return judge(done.stdout + done.stderr)


@contextmanager
def bundle(content: bytes = b"") -> Iterator[Bundle]:
    """A bundle of an image, by default the attackers'."""
    with naive.extracted(content) as root:
        found = Bundle(root)
        try:
            yield found
        finally:
            shutil.rmtree(found.folder)
