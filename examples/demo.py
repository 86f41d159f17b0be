"""One container from nothing to nothing: `make run`.

Starts sampand on roots, socket, bridge and subnet of its own, makes an image of the host's static busybox, runs a small
web server with a published port, limits and a volume, looks at it from outside and inside, then stops everything and
checks that this host is as it was before. Needs root. Standard library only: `sampan` and `sampand` do all the work.
"""

import contextlib
import fcntl
import io
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator

BIN = os.path.dirname(sys.executable)
IMAGE, CONTAINER = "harbour:latest", "web"
PAGE = "<h1>A small boat that carries what larger ships unload.</h1>\n"
MEMORY, CPUS, PIDS = "64m", "0.5", "32"
TIMEOUT_S = 20.0


class Failed(Exception):
    """The demonstration went wrong; the text says how."""


class Boat:
    """The daemon, its folder, and the command line that talks to it."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="sampan-demo-", dir="/tmp")
        self.socket_path = os.path.join(self.folder, "sampan.sock")
        self.log_path = os.path.join(self.folder, "sampand.log")
        self.bridge, self.gateway = free_network()
        self.env = {**os.environ, "DOCKER_HOST": f"unix://{self.socket_path}", "SAMPAN_DEMO_FOLDER": self.folder}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start sampand and wait for its answer."""
        argv = [
            os.path.join(BIN, "sampand"),
            "--data-root",
            f"{self.folder}/data",
            "--exec-root",
            f"{self.folder}/exec",
        ]
        argv += ["--host", f"unix://{self.socket_path}", "--pidfile", f"{self.folder}/sampand.pid"]
        argv += ["--bridge", self.bridge, "--bip", f"{self.gateway}/24"]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(argv, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._is_up, "sampand answers")
        return f"bridge {self.bridge}, {self.gateway}/24"

    def _is_up(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise Failed(f"sampand ended with {self.process.returncode}")
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
            try:
                probe.connect(self.socket_path)
                probe.sendall(b"GET /_ping HTTP/1.0\r\nHost: sampan\r\n\r\n")
                return probe.recv(12).endswith(b"200")
            except OSError:
                return False

    def stop(self) -> str:
        """Stop sampand, as a service manager would."""
        if self.process is None:
            raise Failed("sampand was not started")
        self.process.send_signal(signal.SIGTERM)
        if code := self.process.wait(TIMEOUT_S):
            raise Failed(f"sampand ended with {code}")
        self.process = None
        return ""

    def sampan(self, *args: str, stdin: bytes | None = None) -> str:
        """Run the command line and insist on success."""
        done = subprocess.run(
            [os.path.join(BIN, "sampan"), *args],
            env=self.env,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise Failed(f"sampan {' '.join(args)}: exit {done.returncode}\n{done.stderr.decode(errors='replace')}")
        return done.stdout.decode()

    def processes(self) -> dict[int, str]:
        """What runs with our folder in its environment, command line or mounts: pid to command line."""
        wanted, found = self.folder.encode(), {}
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()):
            parts = [read(f"/proc/{pid}/{part}") for part in ("environ", "cmdline")]
            if os.path.exists(f"/proc/{pid}/ns/mnt") and not same_mounts(pid):
                parts.append(read(f"/proc/{pid}/mountinfo"))
            if any(wanted in part for part in parts):
                found[pid] = parts[1].replace(b"\0", b" ").decode(errors="replace").strip()
        return found

    def leftovers(self, container_id: str) -> list[str]:
        """What of us is still on this host."""
        found = [f"process {pid} {line}" for pid, line in self.processes().items()]
        found += [f"mount {line}" for line in read("/proc/self/mountinfo").decode().splitlines() if self.folder in line]
        found += [f"link {name}" for name in os.listdir("/sys/class/net") if name == self.bridge]
        for folder, names, _ in os.walk("/sys/fs/cgroup"):
            found += [f"cgroup {folder}/{name}" for name in names if container_id and container_id in name]
        if shutil.which("nft"):
            tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False).stdout
            found += [f"nftables {line}" for line in tables.splitlines() if self.bridge in line]
        return found

    def force_away(self) -> None:
        """After a failure: end what still runs, gently first; unmount, remove the folder."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(Failed, subprocess.SubprocessError):
                self.sampan("rm", "-f", CONTAINER)
            with contextlib.suppress(Failed, subprocess.SubprocessError):
                self.stop()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for line in reversed(read("/proc/self/mountinfo").decode().splitlines()):
            if self.folder in line:
                subprocess.run(["umount", "-l", line.split()[4]], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


class Steps:
    """Runs the steps, prints one row each: what, how long, what came of it."""

    def __init__(self) -> None:
        self.began_s = time.perf_counter()
        print(f"{'step':<34}{'ms':>9}   result\n{'-' * 34}{'-' * 9:>9}   {'-' * 50}")

    def __call__(self, title: str, action: Callable[[], str]) -> str:
        """One step; its result is one or more lines."""
        began_s = time.perf_counter()
        result = action()
        took_ms = (time.perf_counter() - began_s) * 1e3
        first, *rest = result.strip().splitlines() or [""]
        print(f"{title:<34}{took_ms:>9.1f}   {first}", *(f"{'':<46}{line}" for line in rest), sep="\n", flush=True)
        return result

    def end(self) -> None:
        """The last row."""
        print(f"{'-' * 34}{'-' * 9:>9}\n{'all of it':<34}{(time.perf_counter() - self.began_s) * 1e3:>9.1f}")


def read(path: str) -> bytes:
    """A file's content, or nothing where it is gone or not ours to read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def same_mounts(pid: int) -> bool:
    """Whether a process shares our mount namespace."""
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
    except OSError:
        return True


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, not for a time."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise Failed(f"waited {TIMEOUT_S:.0f} s in vain until {what}")
        time.sleep(0.005)


def addresses() -> Iterator[str]:
    """IPv4 addresses of this host's links."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("16sH14s", name.encode(), socket.AF_INET, b"\0" * 14)
            with contextlib.suppress(OSError):  # a link without an address
                yield socket.inet_ntoa(fcntl.ioctl(probe, 0x8915, request)[20:24])  # SIOCGIFADDR


def routed() -> set[str]:
    """The first three bytes of each routed /24 or narrower, and of each gateway's."""
    rows = read("/proc/net/route").decode().splitlines()[1:]
    return {socket.inet_ntoa(bytes.fromhex(row.split()[1])[::-1]).rpartition(".")[0] for row in rows}


def free_network() -> tuple[str, str]:
    """A bridge name and a gateway that nothing on this host uses."""
    taken = routed() | {address.rpartition(".")[0] for address in addresses()}
    links = set(os.listdir("/sys/class/net"))
    for number in range(1, 255):
        name, prefix = f"smpdemo{number}", f"10.87.{number}"
        if name not in links and prefix not in taken:
            return name, f"{prefix}.1"
    raise Failed("no free subnet in 10.87.0.0/16")


def base_image() -> bytes:
    """A root file system of the host's static busybox, as a tar."""
    program = shutil.which("busybox")
    if program is None:
        raise Failed("no busybox: apt-get install busybox-static")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in ("bin", "dev", "etc", "proc", "sys", "tmp", "srv"):
            member = tarfile.TarInfo(folder)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
        tar.add(os.path.realpath(program), "bin/busybox")
        for applet in subprocess.check_output([program, "--list"], text=True).split():
            if applet != "busybox":
                member = tarfile.TarInfo(f"bin/{applet}")
                member.type, member.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(member)
    return out.getvalue()


def run_web(boat: Boat, volume: str) -> str:
    """Start the web server; its id."""
    limits = ["--memory", MEMORY, "--cpus", CPUS, "--pids-limit", PIDS]
    server = "echo serving /srv on port 80; exec httpd -f -v -p 80 -h /srv"
    flags = ["-d", "--name", CONTAINER, "-p", "127.0.0.1::80", "-v", f"{volume}:/srv:ro", *limits]
    return boat.sampan("run", *flags, IMAGE, "sh", "-c", server).strip()


def fetch(boat: Boat) -> str:
    """The page, by the port that was published."""
    port = boat.sampan(
        "inspect", "-f", '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', CONTAINER
    ).strip()
    url, seen = f"http://127.0.0.1:{port}/", [""]

    def has_page() -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as response:
            seen[0] = response.read().decode()
        return bool(seen[0])

    wait_until(has_page, f"{url} answers")
    if seen[0] != PAGE:
        raise Failed(f"{url} gave {seen[0]!r}")
    return f"{url}  {seen[0]}"


def limits_inside(boat: Boat) -> str:
    """What the container's own cgroup files say, on cgroup v2 or v1."""
    text = (
        "cd /sys/fs/cgroup; if [ -e memory.max ]; then cat memory.max cpu.max pids.max;"
        " else cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us pids/pids.max; fi"
    )
    memory, cpu, pids = boat.sampan("exec", CONTAINER, "sh", "-c", text).splitlines()
    if (memory, cpu.split()[0], pids) != (str(64 << 20), "50000", PIDS):
        raise Failed(f"limits inside are {memory}, {cpu}, {pids}")
    return f"memory {int(memory) >> 20} MiB, CPU {int(cpu.split()[0]) // 1000} ms in 100 ms, {pids} processes"


def show(boat: Boat) -> None:
    """The tour."""
    step = Steps()
    volume = os.path.join(boat.folder, "volume")
    os.mkdir(volume)
    with open(os.path.join(volume, "index.html"), "w") as page:
        page.write(PAGE)
    step("start sampand", boat.start)
    archive = base_image()
    step("import an image of busybox", lambda: boat.sampan("import", "-", IMAGE, stdin=archive))
    container_id = step("run a web server from it", lambda: run_web(boat, volume)).strip()
    step("fetch its page from the host", lambda: fetch(boat))
    step("logs", lambda: boat.sampan("logs", CONTAINER))
    step("exec: who is in there", lambda: boat.sampan("exec", CONTAINER, "ps", "-o", "pid,user,args"))
    step("limits as seen from inside", lambda: limits_inside(boat))
    step("one more, start to end", lambda: boat.sampan("run", "--rm", IMAGE, "echo", "hello from a second one"))
    step("stop and remove the web server", lambda: boat.sampan("rm", "-f", CONTAINER))
    step("remove the image", lambda: re.sub(r"sha256:(.{12}).*", r"\1", boat.sampan("rmi", IMAGE)))
    step("stop sampand", boat.stop)

    def is_clean() -> bool:
        return not boat.leftovers(container_id)

    def check_clean() -> str:
        with contextlib.suppress(Failed):
            wait_until(is_clean, "nothing is left")
        if found := boat.leftovers(container_id):
            raise Failed("left behind on this host:\n  " + "\n  ".join(found))
        return "no process, mount, link, cgroup or firewall table of ours"

    step("look for what is left", check_clean)
    step.end()


def main() -> int:
    """Run the tour; 0 if all went well and nothing is left."""
    if os.geteuid() != 0:
        print("make run needs root: it starts real containers", file=sys.stderr)
        return 1
    boat = Boat()
    try:
        show(boat)
        return 0
    except (Failed, OSError, subprocess.SubprocessError) as error:
        print(f"\nFAILED: {error}", file=sys.stderr)
        print(f"sampand's log, its end:\n{read(boat.log_path).decode(errors='replace')[-4000:]}", file=sys.stderr)
        return 1
    finally:
        boat.force_away()


if __name__ == "__main__":
    sys.exit(main())
