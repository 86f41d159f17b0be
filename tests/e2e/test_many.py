"""Two hundred containers at once, started concurrently, then all stopped and removed; nothing is left."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import leaks
from support.engine import Engine
from support.waiting import eventually

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_overlay,
    pytest.mark.needs_busybox,
    pytest.mark.needs_sampand,
]
COUNT = 200
THREADS = 16
PSS_LIMIT_KIB = 1536
OBEDIENT = ("sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait")


def pss_kib(pid: int) -> int:
    """Proportional share of memory of a process."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return int(re.search(r"^Pss:\s+(\d+)", file.read(), re.MULTILINE).group(1))


def parent_of(pid: int) -> int:
    """The parent of a process."""
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(") ")[2].split()[1])


def test_two_hundred_at_once_leave_nothing(engine: Engine, image: str) -> None:
    api, sampand = engine.api, engine.sampand
    assert sampand is not None
    fds_before = {pid: len(leaks.open_fds(pid)) for pid in (sampand.pid, sampand.launcher_pid())}
    with ThreadPoolExecutor(THREADS) as pool:
        made = list(pool.map(lambda i: api.started(image, *OBEDIENT, name=f"many-{i}"), range(COUNT)))
        assert len(api("GET", "/containers/json")) == COUNT
        inits = [api.inspect(ref)["State"]["Pid"] for ref in made]
        addresses = {api.inspect(r)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] for r in made}
        assert len(addresses) == COUNT
        sampand.note_ids()
        shims = set(map(parent_of, inits))
        assert len(shims) == COUNT
        each_kib = sum(map(pss_kib, shims)) / COUNT
        list(pool.map(lambda ref: api("POST", f"/containers/{ref}/stop"), made))
        assert {api.inspect(ref)["State"]["ExitCode"] for ref in made} == {0}
        list(pool.map(api.remove, made))
    sampand.assert_nothing_left()

    def are_descriptors_back() -> bool:
        # a keep-alive connection or a warm thread may hold a few
        return all(len(leaks.open_fds(pid)) <= before + 8 for pid, before in fds_before.items())

    eventually(are_descriptors_back)
    assert each_kib < PSS_LIMIT_KIB


def test_fifty_runs_leak_no_descriptor(engine: Engine, image: str) -> None:
    api, sampand = engine.api, engine.sampand
    assert sampand is not None

    def run_some(count: int) -> None:
        for _ in range(count):
            made = api.started(image, "true")
            api.wait(made)
            api.remove(made)

    run_some(5)
    pids = (sampand.pid, sampand.launcher_pid())
    before = [len(leaks.open_fds(pid)) for pid in pids]
    run_some(50)
    after = [len(leaks.open_fds(pid)) for pid in pids]
    assert all(b <= a + 3 for a, b in zip(before, after, strict=True)), (before, after)
    sampand.assert_nothing_left()
