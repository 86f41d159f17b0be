"""The daemon's side of a shim, against a scripted shim on the other end of a real socket pair."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.shim import FakeShim
from sampan import errors
from sampan.engine.shim import Channel, Shim, raise_error
from sampan.runtime import message
from sampan.runtime.cleanup import SOCKET
from sampan.runtime.request import AttachStream, ExitRecord

RECORD = {"exit_code": 3, "oom_killed": True, "started_at_ns": 5, "finished_at_ns": 9, "error": ""}
OK: dict[str, Any] = {"ok": {}}


def refused(kind: str, text: str, code: int = 0) -> dict[str, Any]:
    return {"error": {"class": kind, "message": text, "exit_code": code}}


class World:
    """A Shim, the fake one behind it, and a note of what was cleaned up."""

    def __init__(self, **answers: Any) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.cleaned: list[tuple[str, str]] = []
        self.started = 0
        self.fake = FakeShim(theirs, **answers)
        self.shim = Shim(
            ours, exec_dir="/run/c1", exit_path="/data/exit.json", clean_up=self.clean_up, on_started=self._started
        )

    def _started(self) -> None:
        self.started += 1

    async def clean_up(self, exec_dir: str, exit_path: str) -> ExitRecord:
        self.cleaned.append((exec_dir, exit_path))
        return ExitRecord(exit_code=137, oom_killed=False, started_at_ns=0, finished_at_ns=7, error="killed")


def run(body: Callable[[World], Awaitable[None]], **answers: Any) -> None:
    """Run `body` with a scripted world; nothing may stay open."""

    async def main() -> None:
        world = World(**answers)
        try:
            async with asyncio.timeout(10):
                await body(world)
        finally:
            world.shim.disconnect()
            world.fake.die()

    before = os.listdir("/proc/self/fd")
    asyncio.run(main())
    assert os.listdir("/proc/self/fd") == before


def stream(**options: Any) -> tuple[AttachStream, socket.socket]:
    far, near = socket.socketpair()
    wanted = {"stdin": True, "stdout": True, "stderr": True, "framed": True, **options}
    return AttachStream(near.detach(), **wanted), far


# Channel


def connected(on_event: Any = None) -> tuple[Channel, socket.socket, list[str]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    closed: list[str] = []
    return Channel(ours, on_close=lambda: closed.append("closed"), on_event=on_event), theirs, closed


def test_answers_find_their_askers_in_any_order() -> None:
    async def main() -> None:
        channel, far, _ = connected()
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(channel.ask({"do": f"n{number}"})) for number in range(5)]
            await asyncio.sleep(0)
            bodies = [message.receive(far) for _ in asked]
            for found in reversed(bodies):
                assert found is not None
                message.send(far, {"seq": found[0]["seq"], "ok": {"echo": found[0]["do"]}})
        assert [task.result()[0]["echo"] for task in asked] == [f"n{number}" for number in range(5)]
        channel.close()
        far.close()

    asyncio.run(main())


def test_descriptors_come_with_their_answer_and_those_of_nobody_are_closed() -> None:
    async def main() -> None:
        channel, far, _ = connected()
        read, write = os.pipe()
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(channel.ask({"do": "netns"}))
            await asyncio.sleep(0)
            message.send(far, {"seq": 999, "ok": {}}, [write])
            message.send(far, {"event": "odd"}, [write])
            message.send(far, {"seq": 1, "ok": {}}, [write])
        os.close(write)
        _, (fd,) = asked.result()
        os.write(fd, b"x")
        os.close(fd)
        assert os.read(read, 10) == b"x"
        assert os.read(read, 10) == b""
        os.close(read)
        channel.close()
        far.close()

    asyncio.run(main())


def test_the_other_sides_end_is_told_once_and_fails_whoever_waits() -> None:
    async def main() -> None:
        channel, far, closed = connected()
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(fails(channel.ask({"do": "start"}), errors.Unavailable))
            await asyncio.sleep(0)
            far.close()
            await asked
        assert closed == ["closed"] and not channel.is_open
        await fails(channel.ask({"do": "state"}), errors.Unavailable)
        channel.close()
        assert closed == ["closed"]

    asyncio.run(main())


async def fails(wanted: Awaitable[Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await wanted


def test_closing_it_oneself_fails_whoever_waits_but_is_no_news() -> None:
    async def main() -> None:
        channel, far, closed = connected()
        async with asyncio.TaskGroup() as group:
            group.create_task(fails(channel.ask({"do": "start"}), errors.Unavailable))
            await asyncio.sleep(0)
            channel.close()
        assert closed == []
        far.close()

    asyncio.run(main())


@pytest.mark.parametrize("packet", [b"Jnonsense", b"M{}", b"J"])
def test_a_packet_that_is_no_message_is_the_end(packet: bytes) -> None:
    async def main() -> None:
        channel, far, closed = connected()
        far.send(packet)
        async with asyncio.timeout(5):
            while channel.is_open:
                await asyncio.sleep(0)
        assert closed == ["closed"]
        far.close()

    asyncio.run(main())


def test_a_full_socket_holds_senders_up_and_loses_nothing() -> None:
    async def main() -> None:
        channel, far, _ = connected()
        far.setblocking(False)
        got: list[int] = []

        async def send() -> None:
            for number in range(400):
                await channel.send({"number": number, "padding": "x" * 5000}, [])

        async with asyncio.TaskGroup() as group:
            sending = group.create_task(send())
            while not sending.done() or len(got) < 400:
                await asyncio.sleep(0)
                try:
                    found = message.receive(far)
                except BlockingIOError:
                    continue
                assert found is not None
                got.append(found[0]["number"])  # type: ignore[arg-type]
        assert got == list(range(400))
        channel.close()
        far.close()

    asyncio.run(main())


def fill(channel: Channel) -> None:
    with pytest.raises(BlockingIOError):
        while True:
            message.send(channel._sock, {"padding": "x" * 5000})


def test_several_senders_wait_for_a_full_socket_and_one_may_give_up() -> None:
    async def main() -> None:
        channel, far, _ = connected()
        fill(channel)
        got: list[object] = []
        async with asyncio.timeout(2), asyncio.TaskGroup() as group:
            senders = [group.create_task(channel.send({"number": number}, [])) for number in range(4)]
            await asyncio.sleep(0)
            senders[1].cancel()
            far.setblocking(False)
            while len(got) < 3:
                await asyncio.sleep(0)
                try:
                    found = message.receive(far)
                except BlockingIOError:
                    continue
                assert found is not None
                got += [found[0]["number"]] if "number" in found[0] else []
        assert set(got) == {0, 2, 3}
        channel.close()
        far.close()

    asyncio.run(main())


@pytest.mark.parametrize("is_ours", [True, False])
def test_who_waits_for_a_full_socket_hears_of_the_end(is_ours: bool) -> None:
    async def main() -> None:
        channel, far, _ = connected()
        fill(channel)
        async with asyncio.timeout(2), asyncio.TaskGroup() as group:
            group.create_task(fails(channel.ask({"do": "start"}), errors.Unavailable))
            group.create_task(fails(channel.send({"do": "launch"}, []), ConnectionError))
            await asyncio.sleep(0)
            channel.close() if is_ours else far.close()
        assert not channel.is_open
        far.close()

    asyncio.run(main())


def test_an_asker_that_gives_up_is_forgotten_and_its_late_answer_dropped() -> None:
    async def main() -> None:
        channel, far, _ = connected()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await channel.ask({"do": "slow"})
        message.send(far, {"seq": 1, "ok": {"late": True}})
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(channel.ask({"do": "next"}))
            await asyncio.sleep(0)
            message.send(far, {"seq": 2, "ok": {"late": False}})
        assert asked.result()[0] == {"late": False}
        channel.close()
        far.close()

    asyncio.run(main())


# errors


@pytest.mark.parametrize("kind", ["NotFound", "Conflict", "Unimplemented", "InvalidArgument"])
def test_an_error_crosses_the_connection_with_its_class(kind: str) -> None:
    with pytest.raises(getattr(errors, kind), match="why"):
        raise_error(refused(kind, "why")["error"])


def test_a_failed_start_crosses_with_its_exit_code_and_an_unknown_class_is_internal() -> None:
    with pytest.raises(errors.StartFailed) as caught:
        raise_error(refused("StartFailed", "not found", 127)["error"])
    assert caught.value.exit_code == 127
    with pytest.raises(errors.Internal):
        raise_error(refused("FromTheFuture", "why")["error"])


# Shim


def test_a_start_tells_pid_and_time() -> None:
    async def body(world: World) -> None:
        started = await world.shim.start()
        assert (started.pid, started.started_at_ns) == (42, 5) == (world.shim.pid, world.shim.started_at_ns)
        assert world.started == 1

    run(body, start={"ok": {"pid": 42, "started_at_ns": 5}})


def test_a_refused_start_is_raised_and_nothing_needs_cleaning() -> None:
    async def body(world: World) -> None:
        with pytest.raises(errors.StartFailed, match="not found") as caught:
            await world.shim.start()
        assert caught.value.exit_code == 127 and world.cleaned == [] and world.started == 0

    run(body, start=refused("StartFailed", "exec: not found", 127))


def test_a_shim_that_dies_during_the_start_is_cleaned_up_after() -> None:
    async def body(world: World) -> None:
        world.fake.answers["start"] = lambda request: world.fake.die()
        with pytest.raises(errors.StartFailed, match="supervisor died") as caught:
            await world.shim.start()
        assert caught.value.exit_code == 128
        assert world.cleaned == [("/run/c1", "/data/exit.json")]

    run(body)


def test_the_exit_is_told_to_everybody_who_waits_or_will() -> None:
    async def body(world: World) -> None:
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(world.shim.wait_exit()) for _ in range(3)]
            await asyncio.sleep(0)
            world.fake.tell(event="exit", record=RECORD)
            world.fake.die()
        assert [task.result().to_json() for task in waiting] == [RECORD] * 3
        assert (await world.shim.wait_exit()).exit_code == 3
        assert world.cleaned == []

    run(body)


def test_a_waiter_that_is_cancelled_does_not_take_the_others_along() -> None:
    async def body(world: World) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await world.shim.wait_exit()
        world.fake.tell(event="exit", record=RECORD)
        assert (await world.shim.wait_exit()).exit_code == 3

    run(body)


def test_a_killed_shims_container_counts_as_killed_with_its_own_start_time() -> None:
    async def body(world: World) -> None:
        await world.shim.start()
        world.fake.die()
        record = await world.shim.wait_exit()
        assert (record.exit_code, record.started_at_ns, record.error) == (137, 5, "killed")
        assert world.cleaned == [("/run/c1", "/data/exit.json")]

    run(body, start={"ok": {"pid": 42, "started_at_ns": 5}})


def test_an_exec_runs_and_ends() -> None:
    async def body(world: World) -> None:
        given, far = stream(detach_keys=b"\x10\x11", initial=b"early")
        pid = await world.shim.exec("e1", {"args": ["sh"]}, user="app", groups=["g"], tty=True, stream=given)
        assert pid == 43 and world.shim.running_execs() == ["e1"]
        request = world.fake.requests[0]
        assert request["stdin"] is True and request["tty"] is True and request["user"] == "app"
        assert request["stream"]["initial"] == "early" and request["stream"]["detach_keys"] == "\x10\x11"
        (fd,) = world.fake.fds
        os.write(fd, b"to the client")
        os.close(fd)
        assert far.recv(100) == b"to the client"
        assert far.recv(100) == b""  # the daemon has let go of the client's socket
        far.close()
        world.fake.tell(event="exec_exit", id="e1", exit_code=9)
        assert await world.shim.wait_exec("e1") == 9
        assert await world.shim.poll_exec("e1") == 9
        assert world.shim.running_execs() == []

    run(body, exec={"ok": {"pid": 43}})


def test_an_exec_that_cannot_start_leaves_no_trace_and_closes_its_stream() -> None:
    async def body(world: World) -> None:
        given, far = stream()
        with pytest.raises(errors.StartFailed):
            await world.shim.exec("e1", {}, user="", groups=[], tty=False, stream=given)
        os.close(world.fake.fds.pop())
        assert far.recv(10) == b""
        far.close()
        assert world.shim.running_execs() == []
        with pytest.raises(errors.NotFound, match="No such exec instance: e1"):
            await world.shim.wait_exec("e1")

    run(body, exec=refused("StartFailed", "not found", 127))


def test_execs_die_with_their_shim() -> None:
    async def body(world: World) -> None:
        await world.shim.exec("e1", {}, user="", groups=[], tty=False, stream=None)
        world.fake.die()
        assert await world.shim.wait_exec("e1") == 137

    run(body, exec={"ok": {"pid": 43}})


def test_news_that_is_on_its_way_is_waited_for_when_an_exec_is_polled() -> None:
    async def body(world: World) -> None:
        await world.shim.exec("e1", {}, user="", groups=[], tty=False, stream=None)

        def state(request: dict[str, Any]) -> dict[str, Any]:
            world.fake.tell(event="exec_exit", id="e1", exit_code=4)
            return OK

        world.fake.answers["state"] = OK
        assert await world.shim.poll_exec("e1") is None
        world.fake.answers["state"] = state
        assert await world.shim.poll_exec("e1") == 4
        assert await world.shim.poll_exec("unknown") is None

    run(body, exec={"ok": {"pid": 43}})


def test_an_attached_stream_is_handed_over_and_closed_here() -> None:
    async def body(world: World) -> None:
        given, far = stream()
        await world.shim.attach(given)
        os.close(world.fake.fds.pop())
        assert far.recv(10) == b""
        far.close()

    run(body, attach=OK)


def test_the_small_requests_say_what_they_mean() -> None:
    async def body(world: World) -> None:
        await world.shim.resize(24, 80, exec_id="e1")
        await world.shim.kill(15, all=True)
        await world.shim.freeze(frozen=True)
        seen = [{key: value for key, value in request.items() if key != "seq"} for request in world.fake.requests]
        assert seen == [
            {"do": "resize", "exec": "e1", "height": 24, "width": 80},
            {"do": "kill", "exec": None, "signal": 15, "all": True},
            {"do": "freeze", "frozen": True},
        ]

    run(body, resize=OK, kill=OK, freeze=OK)


def test_a_discarded_container_is_cleaned_up_even_when_its_shim_is_dead() -> None:
    async def alive(world: World) -> None:
        await world.shim.discard()
        assert world.cleaned == []

    async def dead(world: World) -> None:
        world.fake.die()
        await world.shim.discard()
        assert world.cleaned == [("/run/c1", "/data/exit.json")]

    run(alive, discard=OK)
    run(dead)


# recovery


def test_a_running_shim_is_found_by_its_directory_with_its_execs(tmp_path: Path) -> None:
    async def main() -> None:
        folder = tmp_path / ("deep" * 40)  # a socket's address holds 107 bytes; the directory's name may be longer
        folder.mkdir()
        listener = listen(folder)
        world = World()
        async with asyncio.TaskGroup() as group:
            connecting = group.create_task(Shim.connect(str(folder), "/data/exit.json", world.clean_up))
            await asyncio.sleep(0)
            sock, _ = listener.accept()
            state = {"ok": {"pid": 42, "started_at_ns": 5, "execs": {"e1": {"pid": 43, "is_running": True}}}}
            fake = FakeShim(sock, state=state)
        shim = connecting.result()
        assert shim is not None and (shim.pid, shim.started_at_ns, shim.running_execs()) == (42, 5, ["e1"])
        fake.tell(event="exec_exit", id="e1", exit_code=1)
        assert await shim.wait_exec("e1") == 1
        for one in (shim, world.shim):
            one.disconnect()
        for end in (fake, world.fake):
            end.die()
        listener.close()

    asyncio.run(main())


def listen(folder: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fd = os.open(folder, os.O_PATH)
    listener.bind(f"/proc/self/fd/{fd}/{SOCKET}")
    os.close(fd)
    listener.listen()
    return listener


def test_where_no_shim_listens_there_is_none(tmp_path: Path) -> None:
    async def main() -> None:
        world = World()
        assert await Shim.connect(str(tmp_path / "absent"), "", world.clean_up) is None
        assert await Shim.connect(str(tmp_path), "", world.clean_up) is None
        listen(tmp_path).close()
        assert await Shim.connect(str(tmp_path), "", world.clean_up) is None
        world.shim.disconnect()
        world.fake.die()

    asyncio.run(main())


def test_a_shim_that_dies_while_it_is_asked_is_none(tmp_path: Path) -> None:
    async def main() -> None:
        listener = listen(tmp_path)
        world = World()
        async with asyncio.TaskGroup() as group:
            connecting = group.create_task(Shim.connect(str(tmp_path), "", world.clean_up))
            await asyncio.sleep(0)
            listener.accept()[0].close()
        assert connecting.result() is None
        listener.close()
        world.shim.disconnect()
        world.fake.die()

    asyncio.run(main())
