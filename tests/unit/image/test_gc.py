import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.image.gc import Collector, reachable

graphs = st.dictionaries(st.integers(0, 12), st.lists(st.integers(0, 12), max_size=4))


@given(graphs, st.sets(st.integers(0, 12)), st.sets(st.integers(0, 12)))
def test_reachability_is_closed_minimal_and_grows_with_its_roots(
    graph: dict[int, list[int]], roots: set[int], more: set[int]
) -> None:
    def refs(node: int) -> list[int]:
        return graph.get(node, [])

    found = reachable(roots, refs)
    assert roots <= found
    assert all(target in found for node in found for target in refs(node))
    # Whatever is not a root has somebody in the set that points at it.
    assert all(node in roots or any(node in refs(other) for other in found) for node in found)
    assert reachable(found, refs) == found
    assert found <= reachable(roots | more, refs)


def test_a_collection_waits_for_the_last_operation() -> None:
    swept: list[str] = []

    async def sweep() -> None:
        swept.append("x")

    async def main() -> None:
        collector = Collector(sweep)
        async with collector.operation():
            async with collector.operation():
                await collector.collect()
                async with collector.exclusive() as is_quiet:
                    assert not is_quiet
            assert swept == []
        assert swept == ["x"]
        await collector.collect()
        assert swept == ["x", "x"]
        async with collector.exclusive() as is_quiet:
            assert is_quiet

    asyncio.run(main())


def test_a_failed_operation_is_collected_and_a_good_one_is_not() -> None:
    swept: list[str] = []

    async def sweep() -> None:
        swept.append("x")

    async def main() -> None:
        collector = Collector(sweep)
        async with collector.operation():
            pass
        assert swept == []
        with pytest.raises(ValueError):
            async with collector.operation():
                raise ValueError
        assert swept == ["x"]

    asyncio.run(main())


def test_no_operation_starts_during_a_collection() -> None:
    order: list[str] = []

    async def main() -> None:
        sweeping, go_on = asyncio.Event(), asyncio.Event()

        async def sweep() -> None:
            sweeping.set()
            await go_on.wait()
            order.append("swept")

        collector = Collector(sweep)

        async def operation() -> None:
            async with collector.operation():
                order.append("operation")

        async with asyncio.TaskGroup() as group:
            group.create_task(collector.collect())
            await sweeping.wait()
            group.create_task(operation())
            await asyncio.sleep(0)
            go_on.set()

    asyncio.run(main())
    assert order == ["swept", "operation"]
