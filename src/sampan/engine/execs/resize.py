"""POST /exec/{id}/resize: the size of an exec's terminal, in characters."""

from sampan import errors
from sampan.engine.execs.registry import Execs


async def resize(deps: Execs, exec_id: str, *, height: int, width: int) -> None:
    """Set the terminal's size; without effect on an exec that has none."""
    found = deps.registry.get(exec_id)
    shim = found.container.shim
    if not found.is_running or shim is None or not found.pid:
        raise errors.NotFound(f"NotFound: process does not exist {exec_id}: not found")
    if found.config.tty:
        await shim.resize(height, width, exec_id=exec_id)
