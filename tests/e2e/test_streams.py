"""Much through the streams, in both directions, intact by hash; logs complete and in order."""

import hashlib
import os
import subprocess
import threading

import pytest

from support.api import Api, UnixConnection
from support.frontend import Frontend
from support.waiting import eventually

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_overlay, pytest.mark.needs_busybox]
MIB = 1 << 20
LARGE_TIMEOUT_S = 240.0


def pump(cli: Frontend, image: str, size_bytes: int, *command: str) -> tuple[str, str]:
    """Send random bytes through `run -i ... cat`; the digests of what went in and what came back."""
    sent, back = hashlib.sha256(), hashlib.sha256()
    with cli.popen(*command, stdin=subprocess.PIPE) as client:

        def feed() -> None:
            assert client.stdin is not None
            block = os.urandom(MIB)
            for number in range(size_bytes // MIB):
                piece = number.to_bytes(8, "big") + block[8:]
                sent.update(piece)
                client.stdin.write(piece)
            client.stdin.close()

        thread = threading.Thread(target=feed)
        thread.start()
        assert client.stdout is not None and client.stderr is not None
        while piece := client.stdout.read(MIB):
            back.update(piece)
        thread.join()
        assert client.wait(30) == 0, client.stderr.read()
    return sent.hexdigest(), back.hexdigest()


@pytest.mark.parametrize(
    "size_bytes", [64 * MIB, pytest.param(1024 * MIB, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_run_i_cat_gives_back_what_it_got(cli: Frontend, image: str, size_bytes: int) -> None:
    flags = ["--rm", "-i", "--network", "none", "--log-driver", "none"]
    sent, back = pump(cli, image, size_bytes, "run", *flags, image, "cat")
    assert sent == back


def test_exec_i_cat_gives_back_what_it_got(cli: Frontend, image: str, name: str, api: Api) -> None:
    api.started(image, "sleep", "300", name=name)
    sent, back = pump(cli, image, 64 * MIB, "exec", "-i", name, "cat")
    assert sent == back


def test_input_alone_and_output_alone_are_complete(cli: Frontend, image: str) -> None:
    block = os.urandom(8 * MIB)
    digest = cli("run", "--rm", "-i", image, "sha256sum", stdin=block).split()[0]
    assert digest == hashlib.sha256(block).hexdigest()
    code, out, _ = cli.raw("run", "--rm", image, "dd", "if=/dev/zero", "bs=1M", "count=16")
    assert (code, len(out), out.strip(b"\0")) == (0, 16 * MIB, b"")


def test_output_goes_on_after_the_end_of_input(cli: Frontend, image: str) -> None:
    assert cli("run", "--rm", "-i", image, "sh", "-c", "cat; sleep 0.3; echo after", stdin=b"in\n") == "in\nafter"


def test_both_streams_of_much_output_are_complete(cli: Frontend, image: str) -> None:
    text = "i=0; while [ $i -lt 2000 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done"
    code, out, err = cli.run("run", "--rm", image, "sh", "-c", text)
    assert code == 0
    assert out.split() == [f"o{i}" for i in range(2000)] and err.split() == [f"e{i}" for i in range(2000)]


def test_a_log_is_complete_and_in_order(api: Api, image: str, name: str) -> None:
    lines = 200_000
    made = api.started(image, "seq", "1", str(lines), name=name)
    assert api.wait(made) == 0
    assert api.logs(made) == b"".join(b"%d\n" % i for i in range(1, lines + 1))
    assert api.logs(made, tail=5).split() == [b"%d" % i for i in range(lines - 4, lines + 1)]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_log_of_200_mb_is_complete_and_in_order(cli: Frontend, image: str, name: str, api: Api) -> None:
    lines, width = 2_000_000, 100
    filler = "x" * (width - 9)
    program = f'BEGIN {{ for (i = 0; i < {lines}; i++) printf "%08d{filler}\\n", i }}'
    made = api.started(image, "awk", program, name=name)
    with cli.popen("logs", "-f", made) as client:
        assert client.stdout is not None
        for number, line in enumerate(client.stdout):
            assert line[:8] == b"%08d" % number and len(line) == width
        assert number == lines - 1


def test_long_lines_and_missing_last_newlines_are_kept(api: Api, image: str, name: str) -> None:
    text = "head -c 100000 /dev/zero | tr '\\0' a; echo; printf end"
    made = api.started(image, "sh", "-c", text, name=name)
    api.wait(made)
    assert api.logs(made) == b"a" * 100_000 + b"\nend"


def test_bytes_that_are_no_text_survive_attach(cli: Frontend, image: str) -> None:
    every = bytes(range(256)) * 64
    code, out, _ = cli.raw("run", "--rm", "-i", image, "cat", stdin=every)
    assert (code, out) == (0, every)


def test_a_client_that_never_reads_and_then_leaves_costs_the_log_nothing(api: Api, image: str, name: str) -> None:
    made = api.create(image, "seq", "1", "300000", name=name)
    connection = UnixConnection(api.socket_path)
    connection.connect()
    with connection.sock as idle:
        request = f"POST /containers/{made}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\n"
        idle.sendall(f"{request}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode())
        assert b" 101 " in idle.recv(64)
        api.start(made)
        eventually(lambda: api.logs(made, tail=1))
    assert api.wait(made) == 0
    assert api.logs(made) == b"".join(b"%d\n" % i for i in range(1, 300_001))
