"""Attacks on an engine: run inside containers of it, and judged.

Protected    An attack is run twice: in a default container, where it must fail, and with the one protection switched
             off that is said to stop it, where it must succeed; or the test would prove nothing. `both` makes the pair.
Switches     A setting of the container (privileged, capabilities, unconfined...), or, where no setting has it, a daemon
             without one of its safeguards (`support.sabotage`), or a naive runtime (`support.naive`).
Damage       An attack that succeeds touches what the test made, and nothing else of the host.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from support import attackimage
from support.api import Api, Refused
from support.sampand import Sampand
from support.waiting import eventually

MARK = "VERDICT "
SECRET = "smpx: the host's secret"
UNCONFINED = {"SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"]}
# Where a host has AppArmor, its profile is a second wall behind some of those that are switched off.
UNLABELLED = {"SecurityOpt": ["apparmor=unconfined"]}
PRIVILEGED = {"Privileged": True}

both = pytest.mark.parametrize("protected", [True, False], ids=["protected", "switched-off"])


def without_seccomp(*capabilities: str, **host: Any) -> dict[str, Any]:
    """A HostConfig with these capabilities added, and neither system call filter nor AppArmor profile."""
    return {"CapAdd": list(capabilities), **UNCONFINED, **host}


class Verdict(NamedTuple):
    """How an attack ended."""

    succeeded: bool
    detail: str


def judge(printed: str) -> Verdict:
    """The verdict in what an attack printed; an attack that broke, or said nothing, is a failure of the test."""
    lines = [line for line in printed.replace("\r\n", "\n").split("\n") if line.startswith(MARK)]
    assert len(lines) == 1, f"no verdict in: {printed}"
    found = json.loads(lines[0].removeprefix(MARK))
    assert found["outcome"] in ("succeeded", "failed"), found["detail"]
    return Verdict(found["outcome"] == "succeeded", found["detail"])


def expect(verdict: Verdict, *, protected: bool) -> None:
    """The attack fails where it is to be stopped, and succeeds where nothing stops it."""
    assert verdict.succeeded is not protected, verdict.detail


class Outside:
    """A folder of the host that no container is given, with a secret in it."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="smpx-outside-", dir="/tmp")
        self.secret_path = f"{self.folder}/secret"
        with open(self.secret_path, "w") as file:
            file.write(SECRET)

    def make(self, name: str) -> str:
        """A new folder below it, to be shared with containers."""
        path = f"{self.folder}/{name}"
        os.mkdir(path)
        return path

    def destroy(self) -> None:
        shutil.rmtree(self.folder)


class Arena:
    """An engine with the attackers' image."""

    def __init__(self, api: Api, image: str, sampand: Sampand | None = None) -> None:
        self.api = api
        self.image = image
        self.sampand = sampand

    def fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The body of a create request, with the environment that an interpreter without a path needs."""
        return {**fields, "Env": [*attackimage.environment(), *fields.get("Env", [])]}

    @contextmanager
    def container(self, *command: str, host: dict[str, Any] | None = None, **fields: Any) -> Iterator[str]:
        """A running container, removed at the end."""
        made = self.api.create(fields.pop("image", self.image), *command, host=host, **self.fields(fields))
        try:
            self.api.start(made)
            yield made
        finally:
            self.api.remove(made)

    def printed(self, *command: str, host: dict[str, Any] | None = None, **fields: Any) -> str:
        """What a command printed that ran to its end in a container of its own."""
        with self.container(*command, host=host, **fields) as made:
            self.api.wait(made)
            return self.log(made, is_tty=bool(fields.get("Tty")))

    def log(self, made: str, *, is_tty: bool = False) -> str:
        """What a container printed so far."""
        if is_tty:
            return bytes(self.api("GET", f"/containers/{made}/logs", stdout=1, stderr=1)).decode(errors="replace")
        return self.api.logs(made).decode(errors="replace")

    def attack(self, program: str, *, host: dict[str, Any] | None = None, **arguments: Any) -> Verdict:
        """Run an attack (`module.function`) as the first process of a new container."""
        fields = arguments.pop("fields", {})
        return judge(self.printed(*attackimage.command(program, **arguments), host=host, **fields))

    def attack_by_exec(self, made: str, program: str, *, fields: Any = None, **arguments: Any) -> Verdict:
        """Run an attack as a further process of a running container."""
        body = self.fields(fields or {})
        printed = self.api.exec(made, *attackimage.command(program, **arguments), **body)[1]
        return judge(printed.decode(errors="replace"))

    @contextmanager
    def attacking(self, program: str, *, host: dict[str, Any] | None = None, **arguments: Any) -> Iterator[str]:
        """A container in which an attack goes on, once it has printed that it is ready."""
        with self.container(*attackimage.command(program, **arguments), host=host) as made:
            eventually(lambda: "READY" in self.log(made), 20, f"{program} does not begin")
            yield made

    @contextmanager
    def exchanging(self, folder: str, one: str, other: str) -> Iterator[None]:
        """A container that shares `folder` with others, and swaps two names in it as fast as it can."""
        host = {"Binds": [f"{folder}:/vol"], "NetworkMode": "none"}
        with self.attacking("files.exchange_forever", one=f"/vol/{one}", other=f"/vol/{other}", host=host):
            yield

    def try_start(self, *command: str, host: dict[str, Any] | None = None, **fields: Any) -> str:
        """Run to the end like `printed`; "" when the engine refuses to create or to start it."""
        try:
            return self.printed(*command, host=host, **fields)
        except Refused:
            return ""

    def import_image(self, name: str, content: bytes, **query: Any) -> None:
        """Make an image of a tar."""
        repository, _, tag = name.partition(":")
        self.api("POST", "/images/create", content, fromSrc="-", repo=repository, tag=tag, **query)

    @contextmanager
    def imported(self, name: str, content: bytes, **query: Any) -> Iterator[str]:
        """An image of a tar, removed at the end."""
        self.import_image(name, content, **query)
        try:
            yield name
        finally:
            self.api("DELETE", f"/images/{name}", force=1)
