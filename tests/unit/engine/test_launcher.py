"""The daemon's side of the launcher, with a scripted launcher instead of a process (real: tests/integration)."""

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.shim import FakeShim
from sampan import errors
from sampan.engine.idmapping import IdMapping
from sampan.engine.launcher import Launcher, Netns, reconnect
from sampan.engine.shim import Channel, Shim
from sampan.runtime import message
from sampan.runtime.cleanup import SOCKET
from sampan.runtime.launcher.main import HELPER, LAUNCH, LAUNCH_UNUSUAL, NETNS, REMAPPED_NETNS
from sampan.runtime.request import AttachStream, ExitRecord, InitOrders, LaunchRequest

RECORD = {"exit_code": 3, "oom_killed": False, "started_at_ns": 5, "finished_at_ns": 9, "error": ""}


class ScriptedLauncher(Launcher):
    """Each `_start` makes a pair of sockets; `far` is the end of the launcher that runs now."""

    def __init__(self) -> None:
        super().__init__()
        self.fars: list[socket.socket] = []

    @property
    def far(self) -> socket.socket:
        return self.fars[-1]

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.settimeout(5)
        self.fars.append(theirs)
        self._channel = Channel(ours, on_close=self._died)

    def close(self) -> None:
        for far in self.fars:
            far.close()


def run(body: Callable[[ScriptedLauncher], Awaitable[None]]) -> None:
    async def main() -> None:
        launcher = ScriptedLauncher()
        try:
            async with asyncio.timeout(10), launcher:
                await body(launcher)
        finally:
            launcher.close()

    before = os.listdir("/proc/self/fd")
    asyncio.run(main())
    assert os.listdir("/proc/self/fd") == before


def request() -> LaunchRequest:
    return LaunchRequest(
        id="c1",
        spec={"process": {}, "linux": {"cgroupsPath": "/sampan/c1"}},
        rootfs=[],
        exec_dir="/run/c1",
        exit_path="/data/exit.json",
        log={"driver": "none"},
    )


def close_all(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


def heard(sock: socket.socket) -> tuple[bytes, dict[str, Any], list[int]]:
    """The next packet: what to do, with what, and its descriptors."""
    found = message.receive_packet(sock)
    assert found is not None
    packet, fds = found
    return packet[:1], message.decode(packet[1:], fds) if packet[1:] else {}, fds


def test_a_launch_carries_control_socket_network_and_streams_in_this_order() -> None:
    async def body(launcher: ScriptedLauncher) -> None:
        far, near = socket.socketpair()
        netns = Netns(os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_RDONLY))
        stream = AttachStream(near.detach(), stdin=True, stdout=True, stderr=True, framed=False)
        shim = await launcher.launch(request(), netns=netns, attaches=[stream])
        kind, found, fds = heard(launcher.far)
        assert kind == LAUNCH_UNUSUAL and found["namespaces"] == ["network"] and len(found["attaches"]) == 1
        kinds = [os.readlink(f"/proc/self/fd/{fd}").partition(":")[0] for fd in fds]
        assert [kind.partition(" ")[0] for kind in kinds] == ["socket", "/memfd", "/dev/null", "socket"]
        close_all(fds)
        assert far.recv(1) == b""
        netns.close()
        far.close()
        shim.disconnect()

    run(body)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["mount", "network", "uts", "pid", "ipc", "cgroup"], LAUNCH),
        (["uts", "pid", "ipc"], LAUNCH),
        (["mount", "network", "uts", "ipc"], LAUNCH_UNUSUAL),
    ],
)
def test_only_what_a_spare_was_born_in_decides_whether_it_fits(kinds: list[str], expected: bytes) -> None:
    async def body(launcher: ScriptedLauncher) -> None:
        asked = request()
        asked.spec["linux"]["namespaces"] = [{"type": kind} for kind in kinds]
        netns = Netns(os.dup(0), os.dup(0))
        (await launcher.launch(asked, netns=netns)).disconnect()
        netns.close()
        kind, _, fds = heard(launcher.far)
        assert kind == expected
        close_all(fds)

    run(body)


def test_a_spare_is_of_no_use_to_another_runtime() -> None:
    async def body(launcher: ScriptedLauncher) -> None:
        asked = request()
        asked.spec["linux"]["namespaces"] = [{"type": kind} for kind in ("uts", "pid", "ipc")]
        asked.runtime = {"path": "/usr/bin/crun", "args": []}
        (await launcher.launch(asked)).disconnect()
        kind, found, fds = heard(launcher.far)
        assert kind == LAUNCH_UNUSUAL and found["shim"]["runtime"] == asked.runtime
        close_all(fds)

    run(body)


def test_a_network_namespace_that_was_not_given_is_not_the_hosts() -> None:
    async def body(launcher: ScriptedLauncher) -> None:
        asked = request()
        asked.spec["linux"]["namespaces"] = [{"type": "network"}]
        with pytest.raises(errors.Internal, match="none was given"):
            await launcher.launch(asked)

    run(body)


def test_a_namespace_is_asked_of_the_next_launcher_when_one_died_unnoticed() -> None:
    async def body(launcher: ScriptedLauncher) -> None:
        launcher.far.close()
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(launcher.netns())
            await asyncio.sleep(0)
            _, found, _ = heard(launcher.far)
            null = os.open(os.devnull, os.O_RDONLY)
            message.send(launcher.far, {"seq": found["seq"], "ok": {}}, [null, null])
            os.close(null)
        asking.result().close()
        assert len(launcher.fars) == 2

    run(body)


def test_the_next_network_namespace_is_asked_for_once_a_container_runs() -> None:
    async def body(launcher: ScriptedLauncher) -> None:
        shim = await launcher.launch(request())
        _, _, (control, told) = heard(launcher.far)
        os.close(told)
        fake = FakeShim(socket.socket(fileno=control), start={"ok": {"pid": 1, "started_at_ns": 2}})
        await shim.start()
        loop = asyncio.get_running_loop()
        kind, asked, _ = await loop.run_in_executor(None, heard, launcher.far)
        assert kind == NETNS and asked["seq"]
        shim.disconnect()
        fake.die()

    run(body)


def test_a_launcher_that_died_unnoticed_is_replaced_and_the_request_reaches_the_next() -> None:
    async def body(launcher: ScriptedLauncher) -> None:
        launcher.far.close()
        shim = await launcher.launch(request())  # before the loop could hear of the death
        assert len(launcher.fars) == 2
        kind, _, fds = heard(launcher.far)
        assert kind == LAUNCH_UNUSUAL
        close_all(fds)
        for _ in range(3):
            await asyncio.sleep(0)
        assert launcher._channel is not None  # the old one's death is no news of the new one
        await asyncio.sleep(0)
        launcher.far.setblocking(False)
        with pytest.raises(BlockingIOError):
            launcher.far.recv(1)
        shim.disconnect()

    run(body)


def test_a_launcher_whose_death_was_noticed_is_replaced_at_the_next_request() -> None:
    async def body(launcher: ScriptedLauncher) -> None:
        launcher.far.close()
        for _ in range(3):
            await asyncio.sleep(0)
        assert launcher._channel is None
        (await launcher.launch(request())).disconnect()
        close_all(heard(launcher.far)[2])

    run(body)


def test_a_namespace_comes_with_two_descriptors() -> None:
    async def body(launcher: ScriptedLauncher) -> None:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(launcher.netns())
            await asyncio.sleep(0)
            kind, found, _ = heard(launcher.far)
            assert kind == NETNS
            null = os.open(os.devnull, os.O_RDONLY)
            message.send(launcher.far, {"seq": found["seq"], "ok": {}}, [null, null])
            os.close(null)
        netns = asking.result()
        assert netns.ns_fd != netns.route_fd
        netns.close()
        netns.close()  # twice is once
        assert (netns.ns_fd, netns.route_fd) == (-1, -1)

    run(body)


def test_a_namespace_is_asked_for_again_when_the_launcher_dies_but_not_for_ever() -> None:
    async def body(launcher: ScriptedLauncher) -> None:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(fails(launcher.netns(), "died repeatedly"))
            while not asking.done():
                await asyncio.sleep(0)
                launcher.far.close()
        assert len(launcher.fars) == 2

    run(body)


async def fails(wanted: Awaitable[Any], text: str) -> None:
    with pytest.raises(errors.Unavailable, match=text):
        await wanted


def test_nothing_is_launched_any_more_when_the_engine_shuts_down() -> None:
    async def main() -> None:
        launcher = ScriptedLauncher()
        async with launcher:
            pass
        far, near = socket.socketpair()
        stream = AttachStream(near.detach(), stdin=False, stdout=True, stderr=True, framed=False)
        with pytest.raises(errors.Unavailable, match="shutting down"):
            await launcher.launch(request(), attaches=[stream])
        assert far.recv(1) == b""  # the stream is ours to close, whatever happens
        with pytest.raises(errors.Unavailable, match="shutting down"):
            await launcher.netns()
        far.close()
        launcher.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        ({"error": {"class": "InvalidArgument", "message": "hostile", "exit_code": 0}}, errors.InvalidArgument, "host"),
        (None, errors.Internal, "unpack: the helper was killed"),
    ],
)
def test_a_helpers_failure_is_raised(answer: dict[str, Any] | None, kind: type[Exception], text: str) -> None:
    async def body(launcher: ScriptedLauncher) -> None:
        null = os.open(os.devnull, os.O_RDONLY)
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(raises(launcher.unpack("/root", null, options={"a": 1}), kind, text))
            await asyncio.sleep(0)
            packet_kind, found, fds = heard(launcher.far)
            assert packet_kind == HELPER
            assert found == {"name": "unpack", "arguments": {"root": "/root", "options": {"a": 1}}}
            with socket.socket(fileno=fds.pop(0)) as sock:
                if answer is not None:
                    message.send(sock, answer)
            close_all(fds)
            await asking
        os.close(null)

    run(body)


async def raises(wanted: Awaitable[Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        await wanted


def test_cleaning_up_gives_the_exit_record() -> None:
    async def body(launcher: ScriptedLauncher) -> None:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(launcher.clean_up("/run/c1", "/data/exit.json", "/sampan/c1"))
            await asyncio.sleep(0)
            _, found, (fd,) = heard(launcher.far)
            assert found["name"] == "clean_up" and found["arguments"]["cgroup"] == "/sampan/c1"
            with socket.socket(fileno=fd) as sock:
                message.send(sock, {"ok": RECORD})
        assert asking.result().to_json() == RECORD

    run(body)


# recovery


async def clean_up(exec_dir: str, exit_path: str) -> ExitRecord:
    return ExitRecord(exit_code=137, oom_killed=False, started_at_ns=0, finished_at_ns=0)


def test_a_container_that_never_ran_is_none_and_one_that_ended_its_record(tmp_path: Path) -> None:
    async def main() -> None:
        absent, exit_path = str(tmp_path / "absent"), str(tmp_path / "exit.json")
        assert await reconnect(absent, exit_path, clean_up) is None
        (tmp_path / "exit.json").write_text(json.dumps(RECORD))
        found = await reconnect(absent, exit_path, clean_up)
        assert isinstance(found, ExitRecord) and found.exit_code == 3

    asyncio.run(main())


def test_a_directory_without_a_shim_is_cleaned_up(tmp_path: Path) -> None:
    async def main() -> None:
        found = await reconnect(str(tmp_path), str(tmp_path / "exit.json"), clean_up)
        assert isinstance(found, ExitRecord) and found.exit_code == 137

    asyncio.run(main())


def test_a_running_shim_is_connected_to(tmp_path: Path) -> None:
    async def main() -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(str(tmp_path / SOCKET))
        listener.listen()
        async with asyncio.TaskGroup() as group:
            connecting = group.create_task(reconnect(str(tmp_path), "", clean_up))
            await asyncio.sleep(0)
            fake = FakeShim(listener.accept()[0], state={"ok": {"pid": 7, "started_at_ns": 5, "execs": {}}})
        shim = connecting.result()
        assert isinstance(shim, Shim) and shim.pid == 7
        shim.disconnect()
        fake.die()
        listener.close()

    asyncio.run(main())


MAPPING = IdMapping.of_ranges([(100000, 65536)], [(200000, 65536)])


def test_a_namespace_of_a_user_namespace_comes_with_that() -> None:
    async def body(launcher: ScriptedLauncher) -> None:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(launcher.netns(MAPPING))
            await asyncio.sleep(0)
            kind, found, _ = heard(launcher.far)
            assert kind == REMAPPED_NETNS and found == {"seq": found["seq"], **MAPPING.to_json()}
            null = os.open(os.devnull, os.O_RDONLY)
            message.send(launcher.far, {"seq": found["seq"], "ok": {}}, [null, null, null])
            os.close(null)
        netns = asking.result()
        assert list(netns.namespace_fds()) == ["network", "user"]
        asked = request()
        (await launcher.launch(asked, netns=netns)).disconnect()
        _, launched, fds = heard(launcher.far)
        assert launched["namespaces"] == ["network", "user"] and len(fds) == 4
        told = message.decode(b"M", [os.dup(fds[1])])
        assert InitOrders(told | {"user": None}).namespaces == ["network", "user"]
        close_all(fds)
        netns.close()

    run(body)


def test_a_user_namespace_that_cannot_be_made_is_an_error() -> None:
    async def body(launcher: ScriptedLauncher) -> None:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(raises(launcher.netns(MAPPING), errors.Internal, "no space"))
            await asyncio.sleep(0)
            _, found, _ = heard(launcher.far)
            failure = {"class": "Internal", "message": "no space", "exit_code": 0}
            message.send(launcher.far, {"seq": found["seq"], "error": failure})
            await asking

    run(body)


def test_what_is_made_ahead_is_like_the_last_one_and_no_use_to_others() -> None:
    async def body(launcher: ScriptedLauncher) -> None:
        launcher._mapping = MAPPING
        launcher._make_ahead()
        kind, ahead, _ = heard(launcher.far)
        assert kind == REMAPPED_NETNS
        async with asyncio.TaskGroup() as group:
            plain, mapped = group.create_task(launcher.netns()), group.create_task(launcher.netns(MAPPING))
            await asyncio.sleep(0)
            kind, found, _ = heard(launcher.far)
            assert kind == NETNS
            null = os.open(os.devnull, os.O_RDONLY)
            message.send(launcher.far, {"seq": ahead["seq"], "ok": {}}, [null, null, null])
            message.send(launcher.far, {"seq": found["seq"], "ok": {}}, [null, null])
            os.close(null)
        assert plain.result().user_fd < 0 <= mapped.result().user_fd
        plain.result().close()
        mapped.result().close()

    run(body)


def test_a_mapping_is_tried_by_a_helper() -> None:
    async def body(launcher: ScriptedLauncher) -> None:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(raises(launcher.try_id_mapping("/d", MAPPING), errors.InvalidArgument, "old"))
            await asyncio.sleep(0)
            _, found, (fd,) = heard(launcher.far)
            assert found == {"name": "try_id_mapping", "arguments": {"folder": "/d", **MAPPING.to_json()}}
            with socket.socket(fileno=fd) as sock:
                message.send(sock, {"error": {"class": "InvalidArgument", "message": "too old", "exit_code": 0}})
            await asking

    run(body)
