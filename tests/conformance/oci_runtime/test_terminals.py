"""A container's terminal: ours passed through, or handed over by the console socket (runc docs/terminals.md)."""

import array
import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.ociruntime import HOLD, Lab
from support.terminal import Terminal

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_cgroups, pytest.mark.needs_busybox]


class ConsoleSocket:
    """Listens for one terminal's master."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = -1
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen(1)
        self._listener.settimeout(20)
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def _receive(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            fds = array.array("i")
            _, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(fds.itemsize))
            fds.frombytes(ancillary[0][2])
            self.fd = fds[0]

    def master(self) -> int:
        """The descriptor, once it has come."""
        self._thread.join(20)
        assert self.fd >= 0
        return self.fd

    def read_until(self, text: str) -> str:
        """What the container writes, up to and with `text`."""
        seen = ""
        while text not in seen:
            assert select.select([self.master()], [], [], 20)[0], f"no {text!r} in {seen!r}"
            seen += os.read(self.master(), 4096).decode()
        return seen

    def close(self) -> None:
        self._listener.close()
        self._thread.join(20)
        if self.fd >= 0:
            os.close(self.fd)


@contextmanager
def console(lab: Lab) -> Iterator[ConsoleSocket]:
    found = ConsoleSocket(f"{lab.folder}/console")
    try:
        yield found
    finally:
        found.close()


def test_run_connects_the_terminal_with_ours(lab: Lab) -> None:
    lab.process["terminal"] = True
    lab.write("sh", "-c", "test -t 0 && test -t 1 && test -t 2 && tty; read line; echo got $line; exit 4")
    with Terminal(lab.words("run", "--bundle", lab.bundle, lab.id), dict(os.environ)) as terminal:
        terminal.wait_text(r"/dev/(pts/0|console)")
        terminal.send("a word\n")
        terminal.wait_text("got a word")
        assert terminal.wait_exit() == 4


def test_the_window_size_follows_ours(lab: Lab) -> None:
    lab.process["terminal"] = True
    # The trap runs when `read` is interrupted, or after it.
    lab.write("sh", "-c", "trap 'stty size' WINCH; stty size; while :; do sleep 0.01; done")
    words = lab.words("run", "--bundle", lab.bundle, lab.id)
    with Terminal(words, dict(os.environ), rows=31, columns=97) as terminal:
        terminal.wait_text("31 97")
        terminal.resize(20, 60)
        terminal.wait_text("20 60")
        lab.call("kill", lab.id, "KILL")
        assert terminal.wait_exit() == 137


def test_the_console_socket_gets_the_terminal(lab: Lab) -> None:
    lab.process["terminal"] = True
    with console(lab) as found:
        lab.create("sh", "-c", "read line; echo got $line", options=("--console-socket", found.path))
        os.write(found.master(), b"a word\n")
        lab.start()
        assert "got a word" in found.read_until("got a word")
        lab.wait_stopped()


def test_a_terminal_has_the_size_that_the_config_gives(lab: Lab) -> None:
    lab.process["terminal"] = True
    lab.process["consoleSize"] = {"height": 17, "width": 71}
    with console(lab) as found:
        lab.detach("stty", "size", options=("--console-socket", found.path))
        assert "17 71" in found.read_until("17 71")
        lab.wait_stopped()


def test_dev_console_is_the_terminal(lab: Lab) -> None:
    lab.process["terminal"] = True
    with console(lab) as found:
        lab.detach("sh", "-c", "echo by the console > /dev/console", options=("--console-socket", found.path))
        assert "by the console" in found.read_until("by the console")
        lab.wait_stopped()


def test_exec_can_have_a_terminal_of_its_own(lab: Lab) -> None:
    lab.detach()
    with console(lab) as found:
        options = ("--tty", "--detach", "--console-socket", found.path)
        lab.call("exec", *options, lab.id, "sh", "-c", "test -t 0 && echo yes it is")
        assert "yes it is" in found.read_until("yes it is")


def test_a_terminal_needs_somebody_at_its_other_end(lab: Lab) -> None:
    lab.process["terminal"] = True
    lab.write(*HOLD)
    assert "console socket" in lab.refusal("create", "--bundle", lab.bundle, lab.id)
    assert "console socket" in lab.refusal("run", "--detach", "--bundle", lab.bundle, lab.id)
    assert not lab.exists()


def test_without_a_terminal_a_console_socket_is_refused(lab: Lab) -> None:
    lab.write(*HOLD)
    words = ("create", "--console-socket", f"{lab.folder}/console", "--bundle", lab.bundle, lab.id)
    assert "cannot use console socket" in lab.refusal(*words)
    assert not lab.exists()
