"""A shim with a scripted runtime (fakes.oci_runtime) in place of one that makes containers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.runtime.shim.foreign import command, execs
from sampan.runtime.shim.foreign import shim as module
from support.foreignshim import World


def _write_process(path: str, process: dict[str, Any], **_: object) -> None:
    with open(path, "w") as file:
        json.dump(process, file)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where nothing needs root: no mount namespace is entered, no bundle mounted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "leave_host", lambda: None)
    monkeypatch.setattr(module, "make_bundle", lambda orders, namespace_paths: None)
    monkeypatch.setattr(execs, "write_process", _write_process)
    return tmp_path


@pytest.fixture
def world(folder: Path) -> Iterator[World]:
    found = World(folder)
    yield found
    found.close()
