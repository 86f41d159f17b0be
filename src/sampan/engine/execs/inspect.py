"""GET /exec/{id}/json."""

from sampan.api.wire.exec import ExecInspect, ProcessConfig
from sampan.engine.execs.registry import Execs


async def inspect(deps: Execs, exec_id: str) -> ExecInspect:
    """What the exec is and how it ended."""
    found = deps.registry.get(exec_id)
    config = found.config
    exit_code = found.exit_code
    if found.is_running and found.container.shim is not None:
        exit_code = await found.container.shim.poll_exec(exec_id)
    program, args = found.command
    return ExecInspect(
        id=found.id,
        running=found.is_running and exit_code is None,
        exit_code=exit_code,
        process_config=ProcessConfig(
            tty=config.tty, entrypoint=program, arguments=args, privileged=config.privileged, user=config.user
        ),
        open_stdin=config.attach_stdin,
        open_stderr=config.attach_stderr,
        open_stdout=config.attach_stdout,
        can_remove=False,
        container_id=found.container.id,
        detach_keys=config.detach_keys,
        pid=found.pid,
    )
