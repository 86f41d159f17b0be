"""`docker exec`, by the stock command line and by our own."""

from collections.abc import Iterator

import pytest

from support.api import Api
from support.frontend import Frontend
from support.waiting import eventually

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_overlay, pytest.mark.needs_busybox]


@pytest.fixture
def running(api: Api, image: str, name: str) -> Iterator[str]:
    """A container that waits."""
    api.started(image, "sleep", "300", name=name, Env=["OF=container"], WorkingDir="/www")
    yield name


def test_exec_keeps_streams_and_code(cli: Frontend, running: str) -> None:
    assert cli.run("exec", running, "sh", "-c", "echo out; echo err >&2; exit 42") == (42, "out\n", "err\n")


def test_exec_reads_piped_input_to_its_end(cli: Frontend, running: str) -> None:
    assert cli("exec", "-i", running, "sha256sum", stdin=b"abc").split()[0] == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_exec_takes_environment_directory_and_defaults_of_the_container(cli: Frontend, running: str) -> None:
    assert cli("exec", running, "sh", "-c", "pwd; echo $OF") == "/www\ncontainer"
    assert cli("exec", "-e", "MORE=1", "-w", "/tmp", running, "sh", "-c", "pwd; echo $OF$MORE") == "/tmp\ncontainer1"


def test_exec_as_a_user_gets_its_groups(cli: Frontend, running: str) -> None:
    uid, groups = cli("exec", "-u", "app", running, "sh", "-c", "id -u; id -G").splitlines()
    assert (uid, set(groups.split())) == ("1000", {"1000", "10", "1001"})


def test_exec_has_the_containers_capabilities_and_privileged_all(cli: Frontend, running: str) -> None:
    seen = cli("exec", running, "grep", "CapEff", "/proc/self/status").split()[1]
    assert seen == "00000000a80425fb"
    every = cli("exec", "--privileged", running, "grep", "CapEff", "/proc/self/status").split()[1]
    assert int(every, 16) > int(seen, 16)


def test_exec_shares_namespaces_and_cgroups_with_the_container(cli: Frontend, running: str) -> None:
    links = [f"/proc/{{}}/ns/{kind}" for kind in ("mnt", "pid", "net", "uts", "ipc", "cgroup")]
    script = "; ".join(f"readlink {link}" for link in links)
    assert cli("exec", running, "sh", "-c", script.replace("{}", "1")) == cli(
        "exec", running, "sh", "-c", script.replace("{}", "self")
    )
    assert cli("exec", running, "cat", "/proc/self/cgroup") == cli("exec", running, "cat", "/proc/1/cgroup")


def test_exec_on_a_terminal(cli: Frontend, running: str) -> None:
    with cli.terminal("exec", "-it", running, "sh", rows=30, columns=101) as terminal:
        terminal.wait_text("# ")
        terminal.send("stty size; tty\n")
        terminal.wait_text("30 101")
        terminal.wait_text("/dev/pts/")
        terminal.send("exit 11\n")
        assert terminal.wait_exit() == 11


def test_interrupt_key_goes_to_the_program_in_the_container(cli: Frontend, running: str, api: Api) -> None:
    with cli.terminal("exec", "-it", running, "sh") as terminal:
        terminal.wait_text("# ")
        terminal.send("sleep 100\n")
        eventually(lambda: b"sleep 100" in api.exec(running, "ps", "-o", "args")[1])
        terminal.send(b"\x03")
        terminal.wait_text(r"\^C\s+\S+ # ")  # the terminal drops what was typed before the key
        terminal.send("echo code $?\n")
        terminal.wait_text("code 130")


def test_detached_exec_runs_on_without_a_client(cli: Frontend, running: str, api: Api) -> None:
    assert cli("exec", "-d", running, "sh", "-c", "sleep 0.1; touch /tmp/done") == ""
    eventually(lambda: api.exec(running, "test", "-e", "/tmp/done")[0] == 0)


def test_exec_of_a_missing_program_is_127_and_of_a_plain_file_126(cli: Frontend, running: str) -> None:
    missing = cli.run("exec", running, "nonesuch")
    assert missing.code == 127 and 'exec: "nonesuch": executable file not found in $PATH' in missing.out + missing.err
    plain = cli.run("exec", running, "/bin/notexec")
    assert plain.code == 126 and "permission denied" in plain.out + plain.err


def test_exec_in_a_stopped_container_is_refused(cli: Frontend, running: str, api: Api) -> None:
    api("POST", f"/containers/{running}/kill")
    api.wait(running)
    refused = cli.run("exec", running, "true")
    assert refused.code == 1 and "is not running" in refused.err


def test_exec_ends_with_its_container(cli: Frontend, running: str, api: Api) -> None:
    with cli.popen("exec", running, "sleep", "100") as client:
        eventually(lambda: b"sleep 100" in api.exec(running, "ps", "-o", "args")[1])
        api("POST", f"/containers/{running}/kill")
        client.communicate(timeout=20)
        assert client.returncode == 137
