import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest

from sampan.daemon.listeners import Listeners
from sampan.errors import Conflict


def test_a_unix_socket_is_for_owner_and_group_and_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.sock"
    listeners = Listeners([f"unix://{path}"], "")
    listeners.open()
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    listeners.close()
    assert not path.exists()


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = f"{tmp_path}/x.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    listeners = Listeners([f"unix://{path}"], "")
    listeners.open()
    with pytest.raises(Conflict, match=f"another daemon listens on {path}"):
        Listeners([f"unix://{path}"], "").open()
    assert os.path.exists(path)
    listeners.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    path.write_text("precious")
    with pytest.raises(Conflict):
        Listeners([f"unix://{path}"], "").open()
    assert path.read_text() == "precious"


def test_what_was_opened_before_a_failure_is_closed(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("")
    with pytest.raises(Conflict):
        Listeners([f"unix://{tmp_path}/good", f"unix://{tmp_path}/bad"], "").open()
    assert not (tmp_path / "good").exists()


def test_connections_are_served(tmp_path: Path) -> None:
    class Greeter(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.WriteTransport)
            transport.write(b"hello")
            transport.close()

    async def main() -> bytes:
        listeners = Listeners([f"unix://{tmp_path}/x.sock"], "")
        listeners.open()
        await listeners.serve(Greeter)
        reader, writer = await asyncio.open_unix_connection(f"{tmp_path}/x.sock")
        greeting = await reader.read()
        writer.close()
        await writer.wait_closed()
        listeners.close()
        return greeting

    assert asyncio.run(main()) == b"hello"
