"""Execs on the wire: create, start, inspect."""

import msgspec

from sampan.api.wire.gojson import EMPTY_LIST, FLAG, NULL, NUMBER, TEXT, Shape, Uint64, pascal


class ExecConfig(Shape):
    """`POST /containers/{id}/exec`; docker-py names the container in it, and writes `detachKeys`."""

    go_type = "container.ExecOptions"
    go_path = "ExecOptions"
    historic = frozenset({"container", "containerid", "id", "abortsignal"})

    user: str = TEXT
    privileged: bool = FLAG
    tty: bool = FLAG
    console_size: tuple[Uint64, Uint64] | None = None
    attach_stdin: bool = FLAG
    attach_stderr: bool = FLAG
    attach_stdout: bool = FLAG
    detach: bool = FLAG
    detach_keys: str = TEXT
    env: list[str] | None = NULL
    working_dir: str = TEXT
    cmd: list[str] | None = NULL


class ExecStart(Shape):
    """`POST /exec/{id}/start`; dockerode sends its own options along."""

    go_type = "container.ExecStartOptions"
    go_path = "ExecStartOptions"
    historic = frozenset({"hijack", "stdin", "abortsignal", "execid"})

    detach: bool = FLAG
    tty: bool = FLAG
    console_size: tuple[Uint64, Uint64] | None = None


class ProcessConfig(Shape, rename="lower"):
    tty: bool = FLAG
    entrypoint: str = TEXT
    arguments: list[str] = EMPTY_LIST
    privileged: bool | None = None
    user: str = ""


class ExecInspect(Shape, rename=pascal(id="ID", container_id="ContainerID")):
    id: str = TEXT
    running: bool = FLAG
    exit_code: int | None = NULL
    process_config: ProcessConfig = msgspec.field(default_factory=ProcessConfig)
    open_stdin: bool = FLAG
    open_stderr: bool = FLAG
    open_stdout: bool = FLAG
    can_remove: bool = FLAG
    container_id: str = TEXT
    detach_keys: str | None = TEXT
    pid: int = NUMBER


class ExecCreated(Shape):
    id: str = TEXT
