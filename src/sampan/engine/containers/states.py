"""The states of a container and the moves between them; nothing else moves a state.

    created ──start──► running ──exit──► exited ──start──► running
       │                │  ▲ pause,         │
       │                ▼  │ unpause        ├──restart policy──► restarting ──► running
       │               paused               │
       └──────remove──► removing ◄──remove──┘      removing ──failed──► dead ──remove──► removing

A container that leaves `removing` for good is forgotten, which is no state.
"""

from enum import StrEnum

from sampan.errors import Internal


class State(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    EXITED = "exited"
    REMOVING = "removing"
    DEAD = "dead"


MOVES: dict[State, frozenset[State]] = {
    State.CREATED: frozenset({State.RUNNING, State.REMOVING}),
    State.RUNNING: frozenset({State.PAUSED, State.RESTARTING, State.EXITED}),
    State.PAUSED: frozenset({State.RUNNING, State.EXITED}),
    State.RESTARTING: frozenset({State.RUNNING, State.EXITED, State.REMOVING}),
    State.EXITED: frozenset({State.RUNNING, State.RESTARTING, State.REMOVING}),
    State.REMOVING: frozenset({State.DEAD}),
    State.DEAD: frozenset({State.REMOVING}),
}

HAS_PROCESS = frozenset({State.RUNNING, State.PAUSED})
"""The container's first process exists."""


def moved(current: State, target: State) -> State:
    """`target`, when that move is legal; Internal (a bug of ours) when it is not."""
    if target not in MOVES[current]:
        raise Internal(f"illegal move of a container from {current} to {target}")
    return target
