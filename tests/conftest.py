"""Marks that skip or insist, and the fixtures of tests that talk to an engine.

Options      --engine unix:///path.sock   run the engine tests against another engine, to test the tests
             --slow                       also run what is marked slow
"""

import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from support import needs
from support.api import Api, Refused
from support.engine import Engine, import_image
from support.frontend import Frontend
from support.sampand import Sampand


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of this suite."""
    parser.addoption("--engine", default="", metavar="unix:///PATH", help="test this engine instead of our own")
    parser.addoption("--slow", action="store_true", help="also run tests marked slow")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run, or fail where it promised to."""
    if item.get_closest_marker("slow") and not item.config.getoption("--slow"):
        pytest.skip("slow: runs with --slow")
    if item.get_closest_marker("needs_sampand") and item.config.getoption("--engine"):
        pytest.skip("another engine is under test")
    for need in needs.PROBES:
        if item.get_closest_marker(need) and (reason := needs.missing(need)):
            if need in needs.promised():
                pytest.fail(f"{need} was promised, but: {reason}", pytrace=False)
            pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Let a failing test show the end of the daemon's log."""
    report = yield
    daemon = getattr(item, "funcargs", {}).get("engine")
    if report.failed and isinstance(daemon, Engine) and daemon.sampand is not None:
        report.sections.append(("sampand's log, its end", daemon.sampand.log()[-6000:]))
    return report


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """One engine for the tests of a module; at the end nothing of it may be left."""
    if url := request.config.getoption("--engine"):
        yield Engine(url.removeprefix("unix://"), None)
        return
    daemon = Sampand()
    try:
        daemon.start()
        yield Engine(daemon.socket_path, daemon)
    finally:
        daemon.destroy()


@pytest.fixture
def daemon() -> Iterator[Sampand]:
    """A daemon for one test, to be killed and restarted. Not started yet."""
    own = Sampand()
    yield own
    own.destroy()


@pytest.fixture(scope="module")
def image(engine: Engine) -> Iterator[str]:
    """A busybox image, imported through the API."""
    name = f"smph-busybox:{os.getpid()}"
    import_image(engine.api, name)
    yield name
    engine.api("DELETE", f"/images/{name}", force=1)


@pytest.fixture
def api(engine: Engine) -> Api:
    """The engine's API."""
    return engine.api


@pytest.fixture(params=[pytest.param("docker", marks=pytest.mark.needs_docker_cli), "sampan"])
def cli(request: pytest.FixtureRequest, engine: Engine) -> Frontend:
    """Each of the two command lines in turn: they take the same flags and print the same."""
    return Frontend(request.param, engine.socket_path)


@pytest.fixture
def name(engine: Engine) -> Iterator[str]:
    """A name for a container or image; whatever is called so, or begins so, is removed afterwards."""
    own = f"smph-{uuid.uuid4().hex[:8]}"
    yield own
    for container in engine.api("GET", "/containers/json", all=1, filters={"name": [own]}):
        if engine.sampand is not None:
            engine.sampand.seen_ids.add(container["Id"])
        _forgiving(engine.api, f"/containers/{container['Id']}")
    for entry in engine.api("GET", "/images/json"):
        for tag in entry["RepoTags"] or []:
            if tag.startswith(own):
                _forgiving(engine.api, f"/images/{tag}")


def _forgiving(api: Api, path: str) -> None:
    try:
        api("DELETE", path, force=1)
    except Refused as error:
        if error.status not in (404, 409):  # gone already, or on its way out with --rm
            raise


@pytest.fixture(autouse=True)
def containers_go_with_their_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """On our own engine, a test leaves no container behind for the next one."""
    yield
    # After an interrupted test, pytest's `funcargs` is None.
    engine = (getattr(request.node, "funcargs", None) or {}).get("engine")
    if isinstance(engine, Engine) and engine.sampand is not None and engine.sampand.process is not None:
        engine.sampand.remove_containers()
