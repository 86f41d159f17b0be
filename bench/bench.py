"""What starting, running and keeping containers costs, on one engine or on several side by side.

Use          make bench                                         our own sampand, on roots of its own
             make bench ENGINES="ours=unix:///var/run/sampan.sock docker=unix:///var/run/docker.sock"
Method       Engines take turns sample by sample, so noise hits all alike. Each sample's result is checked; a wrong one
             ends the run. The figures are the minimum and the median of wall time.
Needs        root, busybox-static; the `docker` command line for the rows that run it. Standard library only.
"""

import contextlib
import http.client
import io
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from typing import Any

ROUNDS = int(os.environ.get("ROUNDS", "20"))
KEPT = int(os.environ.get("KEPT", "20"))
IMAGE = "sampan-bench:latest"
LABEL = "sampan.bench"


class Connection(http.client.HTTPConnection):
    """HTTP on a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=120)
        self.path = path

    def connect(self) -> None:
        """Connect to the socket file."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Engine:
    """One engine under measurement."""

    def __init__(self, name: str, url: str) -> None:
        self.name, self.url = name, url
        self.connection = Connection(url.removeprefix("unix://"))

    def api(self, method: str, path: str, body: object = None, **query: object) -> Any:
        """One call on a kept connection; parsed JSON or bytes."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
        url = f"/v1.44{path}?{urllib.parse.urlencode(query)}"
        self.connection.request(method, url, content, {"Content-Type": kind} if content is not None else {})
        response = self.connection.getresponse()
        answer = response.read()
        if response.status >= 400:
            raise SystemExit(f"{self.name}: {method} {path}: {response.status} {answer.decode(errors='replace')}")
        is_json = answer and response.headers.get_content_type() == "application/json"
        return json.loads(answer) if is_json else answer

    def create(self, *command: str, network: str = "none") -> str:
        """A new container with our label."""
        body = {"Image": IMAGE, "Cmd": command, "Labels": {LABEL: ""}, "HostConfig": {"NetworkMode": network}}
        return str(self.api("POST", "/containers/create", body)["Id"])

    def life(self, network: str) -> None:
        """create, start, wait, remove."""
        made = self.create("sh", "-c", "exit 7", network=network)
        self.api("POST", f"/containers/{made}/start")
        code = self.api("POST", f"/containers/{made}/wait")["StatusCode"]
        self.api("DELETE", f"/containers/{made}")
        check(self, code == 7, f"exit code {code}")

    def exec(self, container: str) -> None:
        """exec create, start, inspect."""
        body = {"Cmd": ["true"], "AttachStdout": True}
        made = self.api("POST", f"/containers/{container}/exec", body)["Id"]
        self.api("POST", f"/exec/{made}/start", {"Detach": False, "Tty": False})
        code = self.api("GET", f"/exec/{made}/json")["ExitCode"]
        check(self, code == 0, f"exec ended with {code}")

    def docker_run(self) -> None:
        """`docker run --rm` with the stock command line."""
        token = uuid.uuid4().hex
        argv = ["docker", "run", "--rm", "--network", "none", IMAGE, "echo", token]
        out = subprocess.check_output(argv, env={**os.environ, "DOCKER_HOST": self.url}, text=True)
        check(self, out == token + "\n", f"docker run printed {out!r}")

    def clear(self) -> None:
        """Remove our containers."""
        filters = json.dumps({"label": [LABEL]})
        for entry in self.api("GET", "/containers/json", all=1, filters=filters):
            self.api("DELETE", f"/containers/{entry['Id']}", force=1)


def check(engine: Engine, is_right: bool, text: str) -> None:
    """A wrong answer has no time."""
    if not is_right:
        raise SystemExit(f"{engine.name}: {text}")


def rootfs() -> bytes:
    """Static busybox with a link per applet, as a tar."""
    program = shutil.which("busybox") or "/bin/busybox"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in ("bin", "dev", "etc", "proc", "sys", "tmp"):
            member = tarfile.TarInfo(folder)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
        tar.add(os.path.realpath(program), "bin/busybox")
        for applet in ("sh", "true", "echo", "sleep"):
            member = tarfile.TarInfo(f"bin/{applet}")
            member.type, member.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(member)
    return out.getvalue()


def samples(engines: list[Engine], action: Callable[[Engine], None]) -> dict[str, list[float]]:
    """Milliseconds by engine; the first round warms up and does not count."""
    taken: dict[str, list[float]] = {engine.name: [] for engine in engines}
    for number in range(ROUNDS + 1):
        for engine in engines:
            began_s = time.perf_counter()
            action(engine)
            if number:
                taken[engine.name].append((time.perf_counter() - began_s) * 1e3)
    return taken


def measure(engines: list[Engine]) -> Iterator[tuple[str, dict[str, list[float]]]]:
    """The rows of the table."""
    yield "API life, no network", samples(engines, lambda engine: engine.life("none"))
    yield "API life, bridge", samples(engines, lambda engine: engine.life("bridge"))
    if shutil.which("docker"):
        yield "docker run --rm", samples(engines, Engine.docker_run)
    kept = {}
    for engine in engines:
        kept[engine.name] = engine.create("sleep", "3600")
        engine.api("POST", f"/containers/{kept[engine.name]}/start")
    yield "API exec", samples(engines, lambda engine: engine.exec(kept[engine.name]))


def shim_kib(engine: Engine) -> float:
    """What each running container costs the engine: proportional memory of the parent of its first process."""
    total = 0
    made = [engine.create("sleep", "3600") for _ in range(KEPT)]
    for container in made:
        engine.api("POST", f"/containers/{container}/start")
    for container in made:
        init = engine.api("GET", f"/containers/{container}/json")["State"]["Pid"]
        with open(f"/proc/{init}/stat") as file:
            parent = file.read().rpartition(") ")[2].split()[1]
        with open(f"/proc/{parent}/smaps_rollup") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total / KEPT


@contextlib.contextmanager
def own_engine() -> Iterator[str]:
    """A sampand on roots of its own; its URL."""
    folder = tempfile.mkdtemp(prefix="sampan-bench-", dir="/tmp")
    number = next(n for n in range(1, 255) if not os.path.exists(f"/sys/class/net/smpbench{n}"))
    url = f"unix://{folder}/sampan.sock"
    argv = [os.path.join(os.path.dirname(sys.executable), "sampand"), "--host", url]
    argv += ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
    argv += ["--bridge", f"smpbench{number}", "--bip", f"10.88.{number}.1/24"]
    with open(f"{folder}/log", "wb") as log, subprocess.Popen(argv, stdout=log, stderr=log) as process:
        try:
            while not os.path.exists(f"{folder}/sampan.sock"):
                if process.poll() is not None:
                    raise SystemExit(f"sampand ended with {process.returncode}; see {folder}/log")
                time.sleep(0.01)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
    shutil.rmtree(folder, ignore_errors=True)


def run(named: dict[str, str]) -> None:
    """Measure these engines and print a Markdown table."""
    engines = [Engine(name, url) for name, url in named.items()]
    for engine in engines:
        engine.clear()
        repository, tag = IMAGE.split(":")
        engine.api("POST", "/images/create", rootfs(), fromSrc="-", repo=repository, tag=tag)
    try:
        heads = [f"{engine.name} {figure}" for engine in engines for figure in ("min", "median")]
        print(f"| milliseconds | {' | '.join(heads)} |\n|---|{'---:|' * len(heads)}")
        for title, taken in measure(engines):
            cells = [f"{figure(taken[e.name]):.1f}" for e in engines for figure in (min, statistics.median)]
            print(f"| {title} | {' | '.join(cells)} |", flush=True)
        for engine in engines:
            print(f"\n{engine.name}: {shim_kib(engine):.0f} KiB (PSS) of the engine's for each running container")
    finally:
        for engine in engines:
            engine.clear()
            engine.api("DELETE", f"/images/{IMAGE}", force=1)


def main() -> None:
    """Measure the engines named on the command line, or our own."""
    named = dict(argument.split("=", 1) for argument in sys.argv[1:])
    with contextlib.ExitStack() as stack:
        run(named or {"sampan": stack.enter_context(own_engine())})


if __name__ == "__main__":
    main()
