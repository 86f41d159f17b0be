import asyncio
import logging
import threading

import pytest

from sampan.base.tasks import TaskScope, concurrently, finish, run_blocking


def test_a_blocking_call_runs_in_another_thread() -> None:
    assert asyncio.run(run_blocking("disk", threading.current_thread)) is not threading.current_thread()


def test_a_cancelled_blocking_call_is_awaited_before_the_cancellation_is_raised() -> None:
    async def main() -> list[str]:
        gate, order = threading.Event(), []

        def slow() -> None:
            gate.wait(10)
            order.append("thread done")

        asyncio.get_running_loop().call_later(0.01, gate.set)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await run_blocking("disk", slow)
        order.append("caller told")
        return order

    assert asyncio.run(main()) == ["thread done", "caller told"]


def test_finish_completes_its_awaitable_despite_a_cancellation() -> None:
    async def main() -> list[str]:
        done: list[str] = []

        async def clean() -> None:
            await asyncio.sleep(0)
            done.append("clean")

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await finish(clean())
        return done

    assert asyncio.run(main()) == ["clean"]


def test_finish_gives_up_after_its_time_limit() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(finish(asyncio.sleep(60), timeout_s=0.01))


def test_a_failing_task_of_a_scope_is_logged_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> list[str]:
        seen: list[str] = []

        async def fail() -> None:
            raise ValueError("broken")

        async def work() -> None:
            await asyncio.sleep(0)
            seen.append("worked")

        async with TaskScope("test") as scope:
            scope.spawn(fail(), name="fail")
            scope.spawn(work(), name="work")
            for _ in range(4):
                await asyncio.sleep(0)
        return seen

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(main()) == ["worked"]
    assert "fail failed" in caplog.text


def test_leaving_a_scope_cancels_and_awaits_what_still_runs() -> None:
    async def main() -> list[str]:
        seen: list[str] = []

        async def forever() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                seen.append("cancelled")

        async with TaskScope("test") as scope:
            scope.spawn(forever(), name="forever")
            await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="closed"):
            scope.spawn(forever(), name="late")
        return seen

    assert asyncio.run(main()) == ["cancelled"]


def test_concurrent_work_gives_its_results_in_order_and_raises_its_first_error_bare() -> None:
    async def value(number: int) -> int:
        await asyncio.sleep(0)
        return number

    async def fail() -> None:
        raise ValueError("broken")

    async def main() -> list[int]:
        with pytest.raises(ValueError, match="broken"):
            await concurrently(asyncio.sleep(60), fail())
        return await concurrently(value(1), value(2))

    assert asyncio.run(main()) == [1, 2]
