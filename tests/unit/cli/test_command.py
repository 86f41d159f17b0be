from collections.abc import Callable
from pathlib import Path

import pytest

from sampan.cli import command
from sampan.cli.command import Context, Failure, Note, for_each
from sampan.client.engine import Engine
from sampan.client.hosts import parse_host
from sampan.errors import NotFound
from support.scripted_engine import Reply, Request, ScriptedEngine, refuse

Act = Callable[[Engine, str], object]


def context_of(engine: ScriptedEngine) -> Context:
    return Context("stop", lambda: Engine(parse_host(engine.url)))


def stop(engine: Engine, name: str) -> object:
    return engine.post(f"/containers/{name}/stop")


def stopped_unless_named_b(request: Request) -> Reply:
    return refuse(404, "No such container: b") if "/b/" in request.path else Reply(204)


def test_an_engine_is_made_when_it_is_first_needed_and_then_kept(tmp_path: Path) -> None:
    made = []

    def make() -> Engine:
        made.append(Engine(parse_host("unix:///nonexistent/engine.sock")))
        return made[-1]

    context = Context("ps", make)
    context.close()
    assert made == []
    assert context.engine is context.engine
    assert len(made) == 1


def test_a_second_engine_speaks_the_version_of_the_first(tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, lambda _: Reply(204), max_api="1.44") as engine:
        context = context_of(engine)
        context.engine.negotiate()
        with context.new_engine() as second:
            assert second is not context.engine
            stop(second, "a")
        context.close()
    assert engine.versions == ["1.44"]


def test_every_name_is_acted_on_and_printed_in_the_order_given(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = [f"c{number}" for number in range(command.MOST_AT_ONCE + 8)]
    with ScriptedEngine(tmp_path, lambda _: Reply(204)) as engine:
        context = context_of(engine)
        assert for_each(context, names, stop) == 0
        context.close()
    assert capfd.readouterr() == ("".join(f"{name}\n" for name in names), "")
    paths = [request.path for request in engine.requests if request.method == "POST"]
    assert sorted(paths) == sorted(f"/containers/{name}/stop" for name in names)


def test_several_names_settle_on_a_version_once(tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path, lambda _: Reply(204), max_api="1.44") as engine:
        context = context_of(engine)
        for_each(context, ["a", "b", "c"], stop)
        context.close()
    assert [request.path for request in engine.requests].count("/_ping") == 1
    assert engine.versions == ["1.44"] * 3


def test_failures_end_the_command_after_the_others_were_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with ScriptedEngine(tmp_path, stopped_unless_named_b) as engine:
        context = context_of(engine)
        with pytest.raises(Failure, match="No such container: b") as caught:
            for_each(context, ["a", "b", "c"], stop)
        context.close()
    assert caught.value.exit_code == 1
    assert capfd.readouterr() == ("a\nc\n", "")


def test_each_failure_has_its_line_in_the_order_of_the_names(tmp_path: Path) -> None:
    def miss(_: Engine, name: str) -> object:
        raise NotFound(f"no {name}")

    with ScriptedEngine(tmp_path, lambda _: Reply(204)) as engine:
        context = context_of(engine)
        with pytest.raises(Failure) as caught:
            for_each(context, ["b", "a"], miss)
        context.close()
    assert str(caught.value) == "no b\nno a"


def test_a_note_is_said_on_stderr_in_place_of_the_name(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def act(_: Engine, name: str) -> object:
        return Note(f"{name} was gone") if name == "b" else None

    with ScriptedEngine(tmp_path, lambda _: Reply(204)) as engine:
        context = context_of(engine)
        assert for_each(context, ["a", "b"], act) == 0
        context.close()
    assert capfd.readouterr() == ("a\n", "b was gone\n")


def test_a_name_given_twice_is_acted_on_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with ScriptedEngine(tmp_path, lambda _: Reply(204)) as engine:
        context = context_of(engine)
        assert for_each(context, ["a", "a"], stop) == 0
        context.close()
    assert len(engine.requests) == 1
    assert capfd.readouterr().out == "a\na\n"


def test_a_command_bounds_its_arguments_only_when_told_to() -> None:
    shape = command.Command("[OPTIONS]", "Nothing", run=lambda _context, _parsed: 0)
    assert (shape.least, shape.most, tuple(shape.flags), shape.stops_at_argument) == (0, command.MANY, (), False)
