import pytest

from sampan.engine.containers.states import HAS_PROCESS, MOVES, State, moved
from sampan.errors import Internal


def test_every_state_has_its_moves() -> None:
    assert set(MOVES) == set(State)


def test_every_state_but_the_first_can_be_reached() -> None:
    assert set().union(*MOVES.values()) == set(State) - {State.CREATED}


@pytest.mark.parametrize("state", State)
def test_from_every_state_a_container_can_be_removed_in_the_end(state: State) -> None:
    seen, waiting = {state}, [state]
    while waiting:
        for target in MOVES[waiting.pop()] - seen:
            seen.add(target)
            waiting.append(target)
    assert State.REMOVING in seen


def test_what_has_a_process_is_not_removed() -> None:
    assert all(State.REMOVING not in MOVES[state] for state in HAS_PROCESS)


def test_an_illegal_move_is_a_bug() -> None:
    assert moved(State.CREATED, State.RUNNING) is State.RUNNING
    with pytest.raises(Internal, match="from created to exited"):
        moved(State.CREATED, State.EXITED)
