from sampan.runtime.filter import Filter


def test_a_filter_survives_the_way_through_json() -> None:
    program = bytes(range(256))
    found = Filter.from_json(Filter(program, 5).to_json())
    assert found is not None and (found.program, found.flags) == (program, 5)


def test_no_filter_is_none() -> None:
    assert Filter.from_json(None) is None


def test_a_listener_is_for_whom_the_profile_names() -> None:
    found = Filter.of({"listenerPath": "/run/agent", "listenerMetadata": "x"}, b"p", 2)
    assert (found.listener, found.flags) == ({"path": "/run/agent", "metadata": "x"}, 2)
    assert Filter.of({}, b"p", 2).listener is None
