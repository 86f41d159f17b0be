"""What happens when a container's first process ends; one aio task for each running container.

Order       1. published ports are given back  2. the state moves  3. `die`  4. waiters are woken  5. what else there is
            of the endpoint goes  6. --rm removes. A client that waited for the exit may use the container's ports and
            name (--rm: after `removed`) at once; an endpoint without ports concerns nobody, so nobody waits for it.
"""

import logging

from sampan import errors
from sampan.base.clock import NS_PER_S
from sampan.engine.containers.collaborators import Containers, Shim
from sampan.engine.containers.notify import notify, notify_network, notify_volumes
from sampan.engine.containers.record import Outcome
from sampan.engine.containers.registry import Container
from sampan.engine.containers.remove import remove_locked
from sampan.runtime.request import ExitRecord

LOST_EXIT_CODE = 255

_log = logging.getLogger("sampan.containers")


async def supervise(deps: Containers, container: Container, shim: Shim) -> None:
    """Wait for the exit and settle it."""
    try:
        outcome = outcome_of(await shim.wait_exit())
    except errors.Error as error:
        _log.exception("container %s: its end could not be learnt", container.id[:12])
        outcome = Outcome(
            exit_code=LOST_EXIT_CODE,
            error=str(error),
            started_at_ns=container.outcome.started_at_ns,
            finished_at_ns=deps.clock.now_ns(),
        )
    async with deps.locks(container.id):
        if container.shim is shim:
            await settle(deps, container, outcome)


def outcome_of(record: ExitRecord) -> Outcome:
    return Outcome(
        exit_code=record.exit_code,
        error=record.error,
        oom_killed=record.oom_killed,
        started_at_ns=record.started_at_ns,
        finished_at_ns=record.finished_at_ns,
    )


async def settle(deps: Containers, container: Container, outcome: Outcome) -> None:
    """Make the container an exited one; the caller holds its lock."""
    endpoint = deps.networks.endpoint(container.id)
    is_to_be_removed = container.record.host.auto_remove and not container.is_restarting
    if endpoint is not None and endpoint.published:
        await _leave(deps, container)
    container.ended(outcome)
    if endpoint is not None:
        notify_network(deps, container, "disconnect", endpoint)
    notify_volumes(deps, container, mounted=False)
    if outcome.oom_killed:
        notify(deps, container, "oom")
    duration_s = max(0, outcome.finished_at_ns - outcome.started_at_ns) // NS_PER_S
    notify(deps, container, "die", exitCode=str(outcome.exit_code), execDuration=str(duration_s))
    container.wake("not-running", "next-exit")
    if endpoint is not None and not endpoint.published:
        await _leave(deps, container)
    if is_to_be_removed:
        await remove_locked(deps, container, volumes=True)


async def _leave(deps: Containers, container: Container) -> None:
    try:
        await deps.networks.leave(container.id)
    except (errors.Error, OSError, TimeoutError):
        # The exit is a fact whatever the network says; reconciliation at the next start removes what is left.
        _log.exception("container %s: its network endpoint could not be removed", container.id[:12])
