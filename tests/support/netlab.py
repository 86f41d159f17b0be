"""A laboratory of network namespaces: a host of the test's own, containers and a stranger beside it.

`run_on_own_host(scenario)` forks; the child moves into fresh network and mount namespaces and runs the scenario there,
so nothing it makes outlives it and no test meets another. Inside, `Namespace` objects stand for containers: sockets
opened `within` one stay in it wherever they are used from.
"""

import asyncio
import ctypes
import os
import pickle
import socket
import subprocess
import threading
import traceback
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sampan.base import tasks

T = TypeVar("T")

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
TIMEOUT_S = 3.0

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def run_on_own_host(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run the coroutine function in namespaces of its own; its failure is ours."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reading)
            tasks._pools.clear()  # of earlier tests: their threads have not come along
            _check(_libc.unshare(CLONE_NEWNET | CLONE_NEWNS))
            _check(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
            _check(_libc.mount(b"sysfs", b"/sys", b"sysfs", 0, None))
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            asyncio.run(_limited(scenario))
            status = 0
        except BaseException:
            os.write(writing, pickle.dumps(traceback.format_exc())[:65000])
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        report = pipe.read()
    _, status = os.waitpid(pid, 0)
    if report:
        raise AssertionError("on its own host:\n" + pickle.loads(report))
    assert status == 0


async def _limited(scenario: Callable[[], Awaitable[None]]) -> None:
    async with asyncio.timeout(60):
        await scenario()


class Namespace:
    """A fresh network namespace with a NETLINK_ROUTE socket in it: what the launcher gives the network package."""

    def __init__(self) -> None:
        made: list[int] = []

        def make() -> None:
            _check(_libc.unshare(CLONE_NEWNET))
            made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
            made.append(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).detach())

        _in_thread(make)
        self.ns_fd, self.route_fd = made

    def close(self) -> None:
        os.close(self.ns_fd)
        os.close(self.route_fd)

    def within(self, fn: Callable[[], T]) -> T:
        """Call `fn` in a thread that has entered the namespace."""

        def enter() -> T:
            _check(_libc.setns(self.ns_fd, CLONE_NEWNET))
            return fn()

        return _in_thread(enter)

    def command(self, *argv: str) -> str:
        """Run a program in the namespace; its output."""
        return self.within(lambda: command(*argv))

    def take(self, interface: str) -> None:
        """Move an interface of the host here."""
        command("ip", "link", "set", interface, "netns", f"/proc/{os.getpid()}/fd/{self.ns_fd}")

    def tcp_server(self, port: int) -> "Greeter":
        return Greeter(self.within(lambda: bound_tcp("0.0.0.0", port)))

    def udp_server(self, port: int) -> "Greeter":
        return Greeter(self.within(lambda: _bound_udp(port)))


class Greeter:
    """A server whose every answer is the address it was called from."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            if self._socket.type == socket.SOCK_DGRAM:
                _, caller = self._socket.recvfrom(100)
                self._socket.sendto(caller[0].encode(), caller)
            else:
                connection, caller = self._socket.accept()
                connection.sendall(caller[0].encode())
                connection.close()


def ask_tcp(address: str, port: int, *, timeout_s: float = TIMEOUT_S) -> str:
    """Connect; the answer is our address as the server sees it."""
    with socket.create_connection((address, port), timeout=timeout_s) as connection:
        return connection.recv(100).decode()


def ask_udp(address: str, port: int) -> str:
    """The same by datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(TIMEOUT_S)
        client.connect((address, port))
        client.send(b"hello")
        return client.recv(100).decode()


def is_reachable(address: str, port: int) -> bool:
    try:
        ask_tcp(address, port, timeout_s=0.5)
    except OSError:
        return False
    return True


def command(*argv: str) -> str:
    """A program's output; AssertionError with what it wrote when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


def set_sysctl(name: str, value: str) -> None:
    """Set a kernel parameter, `name` a path below /proc/sys; one below net is that of the thread's own namespace."""
    with open(f"/proc/sys/{name}", "w") as file:
        file.write(value)


def bound_tcp(address: str, port: int) -> socket.socket:
    """A listening socket."""
    sock = socket.socket()
    try:
        sock.bind((address, port))
        sock.listen()
    except BaseException:
        sock.close()
        raise
    return sock


def _bound_udp(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("0.0.0.0", port))
    return sock


def _in_thread(fn: Callable[[], T]) -> T:
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(fn())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]
