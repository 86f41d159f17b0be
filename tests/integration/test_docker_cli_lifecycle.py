"""ps, logs, attach, wait, stop, kill, restart, rm, inspect, by the stock command line and by our own."""

import json
import re
import signal
import subprocess
import time

import pytest

from support.api import Api
from support.frontend import Frontend
from support.waiting import eventually

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_overlay, pytest.mark.needs_busybox]
OBEDIENT = ("sh", "-c", "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
STUBBORN = ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done")


def start(cli: Frontend, image: str, name: str, *command: str) -> str:
    """Run detached and wait for the line "ready"."""
    made = cli("run", "-d", "--name", name, image, *command)
    eventually(lambda: "ready" in cli("logs", name))
    return made


def test_ps_shows_running_ones_and_all_with_a(cli: Frontend, image: str, name: str) -> None:
    cli("run", "-d", "--name", f"{name}-up", image, "sleep", "60")
    cli.run("run", "--name", f"{name}-down", image, "sh", "-c", "exit 4")
    shown = cli("ps", "--filter", f"name={name}", "--format", "{{.Names}}|{{.Image}}|{{.Command}}|{{.Status}}")
    assert re.fullmatch(rf'{name}-up\|{image}\|"sleep 60"\|Up .*', shown)
    every = cli("ps", "-a", "--filter", f"name={name}", "--format", "{{.Names}} {{.State}}").splitlines()
    assert sorted(every) == [f"{name}-down exited", f"{name}-up running"]
    assert cli("ps", "-aq", "--filter", f"name={name}", "--filter", "exited=4").split() != []


def test_ps_prints_dockers_table(cli: Frontend, image: str, name: str) -> None:
    made = cli("run", "-d", "--name", name, image, "sleep", "60")
    head, row = cli("ps", "--filter", f"name={name}").splitlines()
    assert re.split(r"\s{3,}", head.strip()) == "CONTAINER ID,IMAGE,COMMAND,CREATED,STATUS,PORTS,NAMES".split(",")
    cells = re.split(r"\s{3,}", row.strip())
    assert cells[0] == made[:12] and cells[1:3] == [image, '"sleep 60"'] and cells[-1] == name


def test_ps_with_quiet_and_no_trunc_prints_full_ids(cli: Frontend, image: str, name: str) -> None:
    made = cli("run", "-d", "--name", name, image, "sleep", "60")
    assert cli("ps", "-q", "--no-trunc", "--filter", f"name={name}") == made


def test_logs_keep_the_two_streams_apart(cli: Frontend, image: str, name: str) -> None:
    cli("run", "--name", name, image, "sh", "-c", "echo one; echo two >&2")
    assert cli.run("logs", name) == (0, "one\n", "two\n")


def test_logs_tail_timestamps_since(cli: Frontend, image: str, name: str) -> None:
    cli("run", "--name", name, image, "seq", "1", "100")
    assert cli("logs", "--tail", "3", name) == "98\n99\n100"
    stamped = cli("logs", "-n", "1", "-t", name)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z 100", stamped)
    assert cli("logs", "--since", "1h", name).split() == [str(i) for i in range(1, 101)]
    assert cli("logs", "--until", "1h", name) == ""


def test_logs_follow_until_the_end(cli: Frontend, image: str, name: str) -> None:
    cli("run", "-d", "--name", name, image, "sh", "-c", "for i in $(seq 1 20); do echo $i; sleep 0.02; done")
    assert cli("logs", "-f", name).split() == [str(i) for i in range(1, 21)]


def test_attach_shows_output_and_takes_input(cli: Frontend, image: str, name: str) -> None:
    cli("run", "-d", "-i", "--name", name, image, "sh", "-c", "read line; echo got $line; exit 6")
    with cli.popen("attach", name, stdin=subprocess.PIPE) as attached:
        assert attached.stdin is not None and attached.stdout is not None
        attached.stdin.write(b"hello\n")
        attached.stdin.flush()
        assert attached.stdout.read() == b"got hello\n"
        assert attached.wait(20) == 6


def test_attach_to_a_terminal_and_detach_by_keys(cli: Frontend, image: str, name: str, api: Api) -> None:
    cli("run", "-dit", "--name", name, image, "sh")
    with cli.terminal("attach", name) as terminal:
        terminal.send("echo $((6*7))\n")
        terminal.wait_text("42")
        terminal.send(b"\x10\x11")
        terminal.wait_text("read escape sequence")
        assert terminal.wait_exit() == 1
    assert api.inspect(name)["State"]["Running"]


def test_two_attached_clients_both_see_the_output(cli: Frontend, image: str, name: str, api: Api) -> None:
    command = "while [ ! -e /go ]; do sleep 0.02; done; echo seen"
    cli("run", "-d", "--name", name, image, "sh", "-c", command)
    with cli.popen("attach", "--no-stdin", name) as one, cli.popen("attach", "--no-stdin", name) as two:
        time.sleep(0.3)  # nothing shows from outside that an attach is registered
        assert api.exec(name, "touch", "/go")[0] == 0
        assert (one.communicate(timeout=20)[0], two.communicate(timeout=20)[0]) == (b"seen\n", b"seen\n")


def test_wait_prints_the_exit_code_of_each(cli: Frontend, image: str, name: str) -> None:
    for code in (0, 9):
        cli("run", "-d", "--name", f"{name}-{code}", image, "sh", "-c", f"sleep 0.2; exit {code}")
    assert cli("wait", f"{name}-0", f"{name}-9") == "0\n9"


def test_stop_sends_term_and_then_kill(cli: Frontend, image: str, name: str, api: Api) -> None:
    start(cli, image, name, *OBEDIENT)
    start(cli, image, f"{name}-2", *STUBBORN)
    assert cli("stop", name) == name
    assert api.inspect(name)["State"]["ExitCode"] == 3 and cli("logs", name) == "ready\nbye"
    cli("stop", "-t", "1", f"{name}-2")
    assert api.inspect(f"{name}-2")["State"]["ExitCode"] == 137


def test_stop_signal_of_the_container_is_used(cli: Frontend, image: str, name: str, api: Api) -> None:
    cli("run", "-d", "--stop-signal", "USR1", "--name", name, image, *STUBBORN[:2], "trap 'exit 8' USR1; echo ready;"
        " while :; do sleep 0.05; done")  # fmt: skip
    eventually(lambda: "ready" in cli("logs", name))
    cli("stop", name)
    assert api.inspect(name)["State"]["ExitCode"] == 8


def test_kill_sends_the_named_signal(cli: Frontend, image: str, name: str, api: Api) -> None:
    start(cli, image, name, *OBEDIENT)
    cli("kill", "-s", "SIGTERM", name)
    assert api.wait(name) == 3
    result = cli.run("kill", name)
    assert result.code == 1 and "is not running" in result.err


def test_restart_and_start_run_it_again(cli: Frontend, image: str, name: str, api: Api) -> None:
    start(cli, image, name, *OBEDIENT)
    first = api.inspect(name)["State"]["StartedAt"]
    cli("restart", name)
    second = api.inspect(name)["State"]
    assert second["Running"] and second["StartedAt"] != first
    cli("stop", name)
    assert cli("start", name) == name
    assert api.inspect(name)["State"]["Running"]


def test_start_attached_returns_output_and_code(cli: Frontend, image: str, name: str) -> None:
    cli("create", "--name", name, image, "sh", "-c", "echo again; exit 2")
    assert cli.run("start", "-a", name)[:2] == (2, "again\n")


def test_files_of_a_stopped_container_are_there_when_it_starts_again(cli: Frontend, image: str, name: str) -> None:
    cli("create", "--name", name, image, "sh", "-c", "cat /kept; echo x >>/kept; true")
    for count in range(3):
        assert cli("start", "-a", name) == "\n".join(["x"] * count)


def test_rm_refuses_a_running_one_unless_forced(cli: Frontend, image: str, name: str) -> None:
    start(cli, image, name, *OBEDIENT)
    refused = cli.run("rm", name)
    assert (
        refused.code == 1 and "container is running: stop the container before removing or force remove" in refused.err
    )
    assert cli("rm", "-f", name) == name
    assert f"No such container: {name}" in cli.run("inspect", "--type", "container", name).err


def test_rm_f_of_a_missing_one_is_no_error(cli: Frontend, name: str) -> None:
    result = cli.run("rm", "-f", name)
    assert result.code == 0 and f"No such container: {name}" in result.err


def test_inspect_gives_dockers_document(cli: Frontend, image: str, name: str) -> None:
    made = cli("run", "-d", "--name", name, "--memory", "64m", "-e", "A=b", image, "sleep", "60")
    (seen,) = json.loads(cli("inspect", name))
    assert (seen["Id"], seen["Name"], seen["Path"], seen["Args"]) == (made, f"/{name}", "sleep", ["60"])
    assert seen["HostConfig"]["Memory"] == 64 << 20 and "A=b" in seen["Config"]["Env"]
    assert seen["State"]["Pid"] > 0 and seen["State"]["Status"] == "running"
    assert cli("inspect", "--format", "{{.State.Status}} {{.Config.Image}}", name) == f"running {image}"


def test_short_id_and_name_mean_the_same(cli: Frontend, image: str, name: str) -> None:
    made = cli("run", "-d", "--name", name, image, "sleep", "60")
    assert cli("inspect", "-f", "{{.Id}}", made[:12]) == cli("inspect", "-f", "{{.Id}}", name) == made


def test_signals_to_the_client_reach_the_process(cli: Frontend, image: str, name: str) -> None:
    with cli.popen("run", "--name", name, image, *OBEDIENT) as client:
        assert client.stdout is not None and client.stdout.readline() == b"ready\n"
        client.send_signal(signal.SIGTERM)
        out, _ = client.communicate(timeout=20)
        assert (out, client.returncode) == (b"bye\n", 3)
