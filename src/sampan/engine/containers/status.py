"""The Status text of a container, as `docker ps` shows it; pure."""

from sampan.base.clock import NS_PER_S
from sampan.engine.containers.registry import Container
from sampan.engine.containers.states import State


def human_duration(duration_ns: int) -> str:
    """Go-units' wording: "About an hour", "3 weeks"."""
    seconds = max(0, duration_ns) // NS_PER_S
    if seconds < 1:
        return "Less than a second"
    if seconds < 60:
        return "1 second" if seconds == 1 else f"{seconds} seconds"
    minutes = seconds // 60
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    hours = (seconds + 1800) // 3600
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{seconds // 3600 // 24 // 365} years"


def status_text(container: Container, now_ns: int) -> str:
    outcome = container.outcome
    match container.state:
        case State.RUNNING:
            return f"Up {human_duration(now_ns - outcome.started_at_ns)}"
        case State.PAUSED:
            return f"Up {human_duration(now_ns - outcome.started_at_ns)} (Paused)"
        case State.RESTARTING:
            return f"Restarting ({outcome.exit_code}) {human_duration(now_ns - outcome.finished_at_ns)} ago"
        case State.EXITED:
            return f"Exited ({outcome.exit_code}) {human_duration(now_ns - outcome.finished_at_ns)} ago"
        case State.REMOVING:
            return "Removal In Progress"
        case State.DEAD:
            return "Dead"
        case State.CREATED:
            return "Created"
