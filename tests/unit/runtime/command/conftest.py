import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sampan.runtime.command.context import Context
from sampan.runtime.command.log import Log
from sampan.runtime.command.store import Container

Make = Callable[..., Container]


@pytest.fixture
def context(tmp_path: Any) -> Context:
    return Context(str(tmp_path / "root"), Log(str(tmp_path / "log"), "json"), cgroup_manager="disabled")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for a container's first one."""
    with subprocess.Popen(["sleep", "1000"]) as child:
        yield child
        child.kill()


@pytest.fixture
def make(context: Context, tmp_path: Any) -> Make:
    """Makes containers without cgroup; with `process`, that is the first one."""

    def make_one(
        id: str, *, process: "subprocess.Popen[bytes] | None" = None, spec: "dict[str, Any] | None" = None
    ) -> Container:
        spec = {"ociVersion": "1.2.1", "root": {"path": "rootfs"}} | (spec or {})
        container = Container.make(context.root, id, bundle=str(tmp_path), spec=spec)
        container.cgroup_manager = "disabled"
        container.maker_pid = 0
        if process:
            container.set_process(process.pid)
        container.save()
        return container

    return make_one


@pytest.fixture
def bundle(tmp_path: Any) -> str:
    """A folder with an empty root."""
    os.mkdir(tmp_path / "rootfs")
    return str(tmp_path)
