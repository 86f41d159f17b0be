import asyncio

import pytest

from sampan.base.events import Bus
from sampan.errors import Unavailable


def test_subscribers_see_events_in_order_until_the_bus_closes() -> None:
    async def main() -> list[int]:
        bus: Bus[int] = Bus()
        bus.publish(0)
        with bus.subscribe() as events:
            bus.publish(1)
            bus.publish(2)
            bus.close()
            return [event async for event in events]

    assert asyncio.run(main()) == [1, 2]


def test_a_slow_reader_is_cut_off_after_what_was_queued() -> None:
    async def main() -> None:
        bus: Bus[int] = Bus()
        with bus.subscribe(2) as events:
            for number in range(5):
                bus.publish(number)
            assert [await events.get(), await events.get()] == [0, 1]
            with pytest.raises(Unavailable):
                await events.get()

    asyncio.run(main())


def test_a_waiting_reader_is_woken() -> None:
    async def main() -> int:
        bus: Bus[int] = Bus()
        with bus.subscribe() as events:
            asyncio.get_running_loop().call_soon(bus.publish, 7)
            return await events.get()

    assert asyncio.run(main()) == 7
