from sampan.errors import Error
from sampan.runtime.command.context import CommandFailed, Context
from sampan.runtime.command.log import Log


def test_a_context_has_what_the_global_options_default_to() -> None:
    context = Context("/root", Log())
    assert (context.cgroup_manager, context.rootless, context.debug, context.criu) == ("cgroupfs", False, False, "criu")
    assert not context.is_default_root


def test_a_failure_may_bring_its_exit_status() -> None:
    failure = CommandFailed("no", exit_code=255)
    assert isinstance(failure, Error)
    assert (str(failure), failure.exit_code) == ("no", 255)
