import os

from sampan.runtime.shim.loop import IN, Loop


def test_a_readable_descriptor_is_reported_until_it_is_unwatched() -> None:
    loop, seen = Loop(), []
    read_fd, write_fd = os.pipe()

    def readable(events: int) -> None:
        seen.append(os.read(read_fd, 1))
        if len(seen) == 2:
            loop.unwatch(read_fd)
            loop.after(0, loop.stop)

    os.write(write_fd, b"abc")
    loop.watch(read_fd, IN, readable)
    loop.run()
    assert seen == [b"a", b"b"]
    os.close(read_fd)
    os.close(write_fd)


def test_actions_run_in_the_order_of_their_times() -> None:
    loop, seen = Loop(), []
    loop.after(0.002, lambda: seen.append("later"))
    loop.after(0.001, lambda: seen.append("sooner"))
    loop.after(0.003, loop.stop)
    loop.run()
    assert seen == ["sooner", "later"]


def test_unwatching_what_is_not_watched_is_nothing() -> None:
    Loop().unwatch(0)
