"""Groups and capabilities: CVE-2022-36109, CVE-2022-29162, CVE-2022-24769, and setuid programs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from support import attackimage
from support.attacks import Arena, Verdict, both, expect, judge

APP = "1000:1000"  # of `support.rootfs`, which is a member of others besides
OTHER_GID = 1001
INTERPRETER = attackimage.interpreter()
COPY = f"{INTERPRETER}.marked"  # beside it, where it finds its modules


@contextmanager
def prepared(target: Arena, script: str, **host: Any) -> Iterator[str]:
    """A running container in which root has made a copy of the interpreter and done what `script` says."""
    with target.container("sleep", "60", host=host) as made:
        code, printed = target.api.exec(made, "sh", "-ec", f"cp {INTERPRETER} {COPY}; {script}")
        assert code == 0, printed
        yield made


def as_app(target: Arena, made: str, program: str, **arguments: object) -> Verdict:
    """Run an attack by the marked copy of the interpreter, as the ordinary user."""
    command = [COPY, *attackimage.command(program, **arguments)[1:]]
    return judge(target.api.exec(made, *command, **target.fields({"User": APP}))[1].decode())


@pytest.mark.needs_sampand
@both
@pytest.mark.parametrize("by_exec", [False, True], ids=["run", "exec"])
def test_there_are_no_stray_groups(
    arena: Arena, sabotaged: Callable[..., Arena], protected: bool, by_exec: bool
) -> None:
    """As a user and group that were asked for, look for further groups: those of the engine, or of the user's entry
    in the image, would open files that were not meant."""
    target = arena if protected else sabotaged("host-groups")
    fields, arguments = {"User": APP}, {"declared": [1000]}
    if by_exec:
        with target.container("sleep", "60") as made:
            verdict = target.attack_by_exec(made, "files.groups", fields=fields, **arguments)
    else:
        verdict = target.attack("files.groups", fields=fields, **arguments)
    expect(verdict, protected=protected)


@pytest.mark.needs_sampand
@both
def test_a_file_closed_to_the_group_stays_closed(
    arena: Arena, sabotaged: Callable[..., Arena], protected: bool
) -> None:
    """CVE-2022-36109: a file's mode shuts out one group (0604). A member whose group is only the primary one, not
    among the supplementary ones, drops it by running a setgid program, and is one of the others then."""
    target = arena if protected else sabotaged("own-group")
    script = f"chown 0:{OTHER_GID} {COPY}; chmod 2755 {COPY}; echo x >/closed; chown 0:1000 /closed; chmod 604 /closed"
    with prepared(target, script) as made:
        expect(as_app(target, made, "files.denied_to_my_group", path="/closed"), protected=protected)


@pytest.mark.needs_sampand
@both
@pytest.mark.parametrize("user", ["0:0", APP], ids=["root", "user"])
def test_no_capability_is_inheritable(
    arena: Arena, sabotaged: Callable[..., Arena], protected: bool, user: str
) -> None:
    """CVE-2022-24769 and CVE-2022-29162: look at the inheritable and ambient sets, of the first process and of an
    exec."""
    target = arena if protected else sabotaged("inheritable")
    fields = {"User": user}
    expect(target.attack("files.capability_sets", fields=fields), protected=protected)
    with target.container("sleep", "60") as made:
        verdict = target.attack_by_exec(made, "files.capability_sets", fields=fields)
        expect(verdict, protected=protected)


@pytest.mark.needs_sampand
@both
def test_a_program_gives_no_inherited_capability(
    arena: Arena, sabotaged: Callable[..., Arena], protected: bool
) -> None:
    """What that is good for: as an ordinary user, run a program whose file lets inheritable capabilities take effect
    (setcap cap_dac_override+ei), and read what is root's alone."""
    target = arena if protected else sabotaged("inheritable")
    with prepared(target, "echo root >/only-root; chmod 600 /only-root") as made:
        marked = target.attack_by_exec(made, "files.make_inheritable", path=COPY)
        assert marked.succeeded, marked.detail
        expect(as_app(target, made, "files.inherited_capability", path="/only-root"), protected=protected)


@both
def test_no_new_privileges_stops_setuid_programs(arena: Arena, protected: bool) -> None:
    """As an ordinary user, run a setuid program of root's. Stopped where it is asked for, by
    --security-opt no-new-privileges, as with Docker."""
    host = {"SecurityOpt": ["no-new-privileges"]} if protected else {}
    script = f"chmod 4755 {COPY}; echo root >/only-root; chmod 600 /only-root"
    with prepared(arena, script, **host) as made:
        expect(as_app(arena, made, "files.inherited_capability", path="/only-root"), protected=protected)
