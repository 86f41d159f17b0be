import asyncio

import pytest

from sampan.base.locks import Keyed


def test_one_holder_per_key_and_waiters_in_order() -> None:
    async def main() -> list[str]:
        keyed, seen = Keyed(), []

        async def work(key: str, label: str) -> None:
            async with keyed(key):
                seen.append(f"+{label}")
                await asyncio.sleep(0)
                seen.append(f"-{label}")

        async with asyncio.TaskGroup() as group:
            for key, label in (("a", "1"), ("a", "2"), ("b", "3")):
                group.create_task(work(key, label))
        assert len(keyed) == 0
        return seen

    assert asyncio.run(main()) == ["+1", "+3", "-1", "-3", "+2", "-2"]


def test_a_cancelled_waiter_leaves_no_trace() -> None:
    async def main() -> None:
        keyed = Keyed()
        async with keyed("a"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0), keyed("a"):
                    raise AssertionError("entered a held lock")
            assert len(keyed) == 1
        assert len(keyed) == 0

    asyncio.run(main())
