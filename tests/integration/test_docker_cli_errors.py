"""What is refused, with which message and exit code, by the stock command line and by our own."""

import pytest

from support.api import Api, Refused
from support.frontend import Frontend
from support.waiting import eventually

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_overlay, pytest.mark.needs_busybox]

NOT_FOUND = 'exec: "nonesuch": executable file not found in $PATH'


def test_a_missing_program_is_127(cli: Frontend, image: str, name: str) -> None:
    result = cli.run("run", "--name", name, image, "nonesuch")
    assert result.code == 127 and NOT_FOUND in result.err


def test_a_missing_path_is_127(cli: Frontend, image: str, name: str) -> None:
    result = cli.run("run", "--name", name, image, "/bin/nonesuch")
    assert result.code == 127 and "/bin/nonesuch" in result.err and "no such file or directory" in result.err


@pytest.mark.parametrize("program", ["/bin/notexec", "/etc"])
def test_what_cannot_be_executed_is_126(cli: Frontend, image: str, name: str, program: str) -> None:
    result = cli.run("run", "--name", name, image, program)
    assert result.code == 126 and program in result.err


def test_a_failed_start_leaves_the_container_created_and_removable(
    cli: Frontend, image: str, name: str, api: Api
) -> None:
    cli.run("run", "--name", name, image, "nonesuch")
    state = api.inspect(name)["State"]
    assert (state["Status"], state["Running"], state["Pid"], state["ExitCode"]) == ("created", False, 0, 127)
    assert NOT_FOUND in state["Error"]
    cli("rm", name)


def test_run_rm_of_a_missing_program_removes_the_container(cli: Frontend, image: str, name: str, api: Api) -> None:
    assert cli.run("run", "--rm", "--name", name, image, "nonesuch").code == 127
    eventually(lambda: api("GET", "/containers/json", all=1, filters={"name": [name]}) == [])


def test_a_missing_image_is_125(cli: Frontend, name: str) -> None:
    result = cli.run("run", "--pull", "never", "--rm", f"{name}:missing", "true")
    assert result.code == 125 and f"No such image: {name}:missing" in result.err


@pytest.mark.parametrize(
    "flags",
    [
        ["--no-such-flag"],
        ["--memory", "64q"],
        ["--cpus", "many"],
        ["-p", "99999:80"],
        ["-p", "80:0x50"],
        ["--ulimit", "nofile"],
        ["--cap-add", "NO_SUCH_CAP"],
        ["-u", "nobodyknows"],
        ["--hostname", "a" * 70],
        ["-v", "relative/path:/x:bogus"],
    ],
)
def test_bad_flags_are_refused_before_anything_runs(cli: Frontend, image: str, name: str, flags: list[str]) -> None:
    result = cli.run("run", "--rm", "--name", name, *flags, image, "echo", "ran")
    assert result.code in (125, 126) and result.err and "ran" not in result.out


@pytest.mark.parametrize("user", ["nobodyknows", "app:nogroup"])
def test_an_unknown_user_or_group_is_named(cli: Frontend, image: str, name: str, user: str) -> None:
    result = cli.run("run", "--name", name, "-u", user, image, "true")
    wanted = "unable to find user nobodyknows" if user == "nobodyknows" else "unable to find group nogroup"
    assert result.code == 125 and wanted in result.err


def test_an_invalid_name_is_refused(cli: Frontend, image: str) -> None:
    result = cli.run("run", "--name", "no spaces", image, "true")
    assert result.code == 125 and "Invalid container name (no spaces)" in result.err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("start", "No such container: {}"),
        ("stop", "No such container: {}"),
        ("kill", "No such container: {}"),
        ("logs", "No such container: {}"),
        ("wait", "No such container: {}"),
        ("rmi", "No such image: {}:latest"),
        ("history", "No such image: {}:latest"),
        ("save", "{}"),
    ],
)
def test_what_does_not_exist_is_named(cli: Frontend, name: str, command: str, message: str) -> None:
    result = cli.run(command, name)
    assert result.code == 1 and message.format(name) in result.err


def test_a_port_in_use_is_refused_and_leaves_nothing(cli: Frontend, image: str, name: str, api: Api) -> None:
    cli("run", "-d", "--name", name, "-p", "127.0.0.1:18480:80", image, "sleep", "60")
    result = cli.run("run", "--name", f"{name}-2", "-p", "127.0.0.1:18480:80", image, "true")
    assert result.code == 125 and "port is already allocated" in result.err
    assert api.inspect(f"{name}-2")["State"]["Status"] == "created"


@pytest.mark.parametrize(
    "body",
    [
        {"Image": 7},
        {"Image": "x", "Cmd": {"not": "a list"}},
        {"Image": "x", "HostConfig": {"Memory": "much"}},
        {"Image": "x", "Env": [1]},
    ],
)
def test_ill_typed_bodies_get_400(api: Api, body: object) -> None:
    with pytest.raises(Refused) as refused:
        api("POST", "/containers/create", body)
    assert refused.value.status == 400


def test_broken_json_gets_400_and_an_unknown_page_404(api: Api) -> None:
    with pytest.raises(Refused) as refused:
        api("POST", "/containers/create", b"{", kind="application/json")
    assert refused.value.status == 400
    with pytest.raises(Refused) as refused:
        api("GET", "/no/such/page")
    assert refused.value.status in (404, 501) and refused.value.message
