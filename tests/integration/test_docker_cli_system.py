"""version, info, events, by the stock command line and by our own."""

import json
import os
import re
import signal
import time

import pytest

from support.api import Api
from support.frontend import Frontend
from support.waiting import eventually

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_overlay, pytest.mark.needs_busybox]


def test_version_names_client_and_server(cli: Frontend) -> None:
    seen = json.loads(cli("version", "--format", "{{json .}}"))
    assert seen["Client"]["ApiVersion"] and seen["Server"]["ApiVersion"] == "1.51"
    assert seen["Server"]["MinAPIVersion"] == "1.24"
    assert cli("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}") in ("linux/amd64", "linux/arm64")
    assert re.search(r"^Server:", cli("version"), re.MULTILINE)


def test_info_counts_containers_and_describes_the_host(cli: Frontend, image: str, name: str) -> None:
    cli("run", "-d", "--name", name, image, "sleep", "60")
    seen = json.loads(cli("info", "--format", "{{json .}}"))
    assert seen["ContainersRunning"] >= 1 and seen["Images"] >= 1
    assert (seen["OSType"], seen["NCPU"]) == ("linux", os.cpu_count())
    assert seen["KernelVersion"] == os.uname().release and seen["CgroupVersion"] in ("1", "2")
    assert "Containers: " in cli("info")


def test_events_of_a_run_come_in_order(cli: Frontend, image: str, name: str) -> None:
    since = str(time.time())
    assert cli.run("run", "--rm", "--name", name, image, "sh", "-c", "exit 5").code == 5
    flags = ["--since", since, "--until", str(time.time() + 1), "--filter", f"container={name}"]
    seen = cli("events", *flags, "--format", "{{.Action}}").splitlines()
    assert [action for action in seen if action != "attach"] == ["create", "start", "die", "destroy"]
    coded = cli("events", *flags, "--filter", "event=die", "--format", "{{.Actor.Attributes.exitCode}}")
    assert coded == "5"


def test_events_stream_as_they_happen(cli: Frontend, image: str, name: str, api: Api) -> None:
    flags = ["--filter", "type=container", "--filter", f"container={name}", "--format", "{{.Action}}"]
    with cli.popen("events", *flags) as client:
        assert client.stdout is not None
        time.sleep(0.5)  # nothing shows from outside that the subscription stands
        made = api.create(image, "true", name=name)
        assert client.stdout.readline() == b"create\n"
        api.start(made)
        assert [client.stdout.readline() for _ in range(2)] == [b"start\n", b"die\n"]
        client.send_signal(signal.SIGINT)
        client.communicate(timeout=10)


def test_image_events_name_the_image(cli: Frontend, image: str, name: str) -> None:
    since = str(time.time())
    cli("tag", image, f"{name}:1")
    cli("rmi", f"{name}:1")
    flags = ["--since", since, "--until", str(time.time() + 1), "--filter", "type=image"]
    seen = cli("events", *flags, "--format", "{{.Action}} {{.Actor.Attributes.name}}").splitlines()
    assert f"tag {name}:1" in seen
    assert [line for line in seen if line.startswith("untag ")]


def test_a_client_of_an_older_api_is_served_and_a_too_old_one_is_not(
    api: Api, image: str, cli: Frontend, name: str
) -> None:
    cli.env["DOCKER_API_VERSION"] = "1.24"
    assert cli("run", "--rm", "--name", name, image, "echo", "old") == "old"
    cli.env["DOCKER_API_VERSION"] = "1.12"
    refused = cli.run("ps")
    assert refused.code == 1 and "client version 1.12 is too old" in refused.err


def test_ping_tells_the_version_before_negotiation(api: Api) -> None:
    response = api.open("GET", "/_ping")
    try:
        assert response.headers["Api-Version"] == "1.51" and response.headers["Ostype"] == "linux"
        assert response.read() == b"OK"
    finally:
        response.connection.close()
    eventually(api.is_up)
