"""`docker run` and its flags, by the stock command line and by our own."""

import os
import socket
import urllib.request

import pytest

from support import rootfs
from support.api import Api
from support.frontend import Frontend
from support.inside import socket_inside
from support.waiting import eventually

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_overlay,
    pytest.mark.needs_busybox,
]
LOOPBACK = "127.0.0.1"


def test_run_prints_what_the_command_prints_and_exits_with_its_code(cli: Frontend, image: str) -> None:
    result = cli.run("run", "--rm", image, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert result == (7, "out\n", "err\n")


def test_run_detached_prints_the_id_and_leaves_it_running(cli: Frontend, image: str, name: str, api: Api) -> None:
    printed = cli("run", "-d", "--name", name, image, "sleep", "60")
    state = api.inspect(name)
    assert (printed, state["State"]["Running"]) == (state["Id"], True)


def test_run_rm_leaves_nothing_to_inspect(cli: Frontend, image: str, name: str) -> None:
    cli("run", "--rm", "--name", name, image, "true")
    eventually(lambda: cli.run("inspect", name).code != 0)


def test_piped_input_reaches_the_command_and_its_end_is_seen(cli: Frontend, image: str) -> None:
    assert cli("run", "--rm", "-i", image, "wc", "-c", stdin=b"x" * 100_000) == "100000"


def test_without_i_the_command_reads_an_empty_input(cli: Frontend, image: str) -> None:
    assert cli("run", "--rm", image, "wc", "-c", stdin=b"ignored") == "0"


def test_entrypoint_replaces_the_images(cli: Frontend, image: str) -> None:
    assert cli("run", "--rm", "--entrypoint", "echo", image, "as", "arguments") == "as arguments"


def test_environment_comes_from_flag_file_and_caller(cli: Frontend, image: str, tmp_path) -> None:
    (tmp_path / "env").write_text("# a comment\nFROM_FILE=file value\n")
    cli.env["FROM_CALLER"] = "caller"
    flags = ["-e", "A=1=2", "-e", "FROM_CALLER", "-e", "UNSET_HERE", "--env-file", str(tmp_path / "env")]
    seen = cli("run", "--rm", *flags, image, "env").splitlines()
    assert {"A=1=2", "FROM_CALLER=caller", "FROM_FILE=file value"} <= set(seen)
    assert not [line for line in seen if line.startswith("UNSET_HERE")]
    assert "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" in seen


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("app", "1000 1000 10,1000,1001"),
        ("1000", "1000 1000 10,1000,1001"),
        ("app:wheel", "1000 10 10"),
        ("4242:4343", "4242 4343 4343"),
        ("4242", "4242 0 0"),
    ],
)
def test_user_is_resolved_in_the_image(cli: Frontend, image: str, user: str, expected: str) -> None:
    uid, gid, groups = cli("run", "--rm", "-u", user, image, "sh", "-c", "id -u; id -g; id -G").splitlines()
    assert f"{uid} {gid} {','.join(sorted(groups.split()))}" == expected


def test_group_add_joins_groups_by_name_and_number(cli: Frontend, image: str) -> None:
    groups = cli("run", "--rm", "-u", "4242:4343", "--group-add", "wheel", "--group-add", "77", image, "id", "-G")
    assert set(groups.split()) == {"4343", "10", "77"}


def test_working_directory_is_made_when_missing(cli: Frontend, image: str) -> None:
    assert cli("run", "--rm", "-w", "/deep/er", image, "pwd") == "/deep/er"


def test_bind_mount_is_shared_and_ro_is_kept(cli: Frontend, image: str, tmp_path) -> None:
    (tmp_path / "in").write_text("from the host")
    cli("run", "--rm", "-v", f"{tmp_path}:/vol", image, "cp", "/vol/in", "/vol/out")
    assert (tmp_path / "out").read_text() == "from the host"
    refused = cli.run("run", "--rm", "-v", f"{tmp_path}:/vol:ro", image, "touch", "/vol/no")
    assert refused.code == 1 and "Read-only file system" in refused.err


def test_missing_bind_source_is_made_as_a_directory(cli: Frontend, image: str, tmp_path) -> None:
    cli("run", "--rm", "-v", f"{tmp_path}/new:/vol", image, "touch", "/vol/file")
    assert (tmp_path / "new" / "file").exists()


@pytest.mark.needs_sampand
def test_published_tcp_port_answers_on_loopback(cli: Frontend, image: str, name: str, api: Api) -> None:
    cli("run", "-d", "--name", name, "-p", f"{LOOPBACK}::80", image, "httpd", "-f", "-h", "/www")
    bound = api.inspect(name)["NetworkSettings"]["Ports"]["80/tcp"][0]
    assert bound["HostIp"] == LOOPBACK
    url = f"http://{LOOPBACK}:{bound['HostPort']}/index.html"
    assert eventually(lambda: _fetch(url)) == rootfs.PAGE


def _fetch(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bytes(response.read())
    except OSError:
        return b""


@pytest.mark.needs_sampand
def test_published_udp_port_carries_datagrams_both_ways(cli: Frontend, image: str, name: str, api: Api) -> None:
    cli("run", "-d", "--name", name, "-p", f"{LOOPBACK}::5353/udp", image, "sleep", "60")
    seen = api.inspect(name)
    port = int(seen["NetworkSettings"]["Ports"]["5353/udp"][0]["HostPort"])
    inside = socket_inside(seen["State"]["Pid"], socket.SOCK_DGRAM)
    with inside, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        inside.bind(("0.0.0.0", 5353))
        client.settimeout(10)
        client.sendto(b"ping", (LOOPBACK, port))
        content, peer = inside.recvfrom(100)
        inside.sendto(content + b" pong", peer)
        assert client.recvfrom(100) == (b"ping pong", (LOOPBACK, port))


def test_bridge_gives_an_address_and_a_default_route(cli: Frontend, image: str) -> None:
    seen = cli("run", "--rm", image, "sh", "-c", "ip -4 addr show eth0 | grep -c inet; ip route | grep -c ^default")
    assert seen.split() == ["1", "1"]


def test_containers_reach_each_other_by_address(cli: Frontend, image: str, name: str, api: Api) -> None:
    cli("run", "-d", "--name", name, image, "httpd", "-f", "-h", "/www")
    networks = api.inspect(name)["NetworkSettings"]["Networks"]
    address = networks["bridge"]["IPAddress"]
    fetched = cli("run", "--rm", image, "wget", "-qO-", f"http://{address}/index.html")
    assert fetched == rootfs.PAGE.decode().rstrip()


def test_network_none_has_loopback_only(cli: Frontend, image: str) -> None:
    assert cli("run", "--rm", "--network", "none", image, "ls", "/sys/class/net") == "lo"


@pytest.mark.needs_sampand
def test_network_host_shares_the_hosts_namespace(cli: Frontend, image: str) -> None:
    inside = cli("run", "--rm", "--network", "host", image, "readlink", "/proc/self/ns/net")
    assert inside == os.readlink("/proc/self/ns/net")


def test_hostname_is_set_and_in_hosts(cli: Frontend, image: str) -> None:
    seen = cli("run", "--rm", "--hostname", "boat", image, "sh", "-c", "hostname; cat /etc/hostname /etc/hosts")
    assert seen.splitlines()[:2] == ["boat", "boat"]
    assert seen.splitlines()[-1].split()[1:] == ["boat"]


def test_default_hostname_is_the_short_id(cli: Frontend, image: str, name: str, api: Api) -> None:
    hostname = cli("run", "--name", name, image, "hostname")
    assert api.inspect(name)["Id"].startswith(hostname) and len(hostname) == 12


def test_add_host_and_dns_are_in_the_files(cli: Frontend, image: str) -> None:
    flags = ["--add-host", "pier:10.9.8.7", "--dns", "10.1.1.1", "--dns-search", "example.org"]
    seen = cli("run", "--rm", *flags, image, "cat", "/etc/hosts", "/etc/resolv.conf")
    assert "10.9.8.7\tpier" in seen and "nameserver 10.1.1.1" in seen and "search example.org" in seen


def test_read_only_root_with_tmpfs_to_write_to(cli: Frontend, image: str) -> None:
    command = "touch /f 2>/dev/null || echo refused; touch /scratch/f && echo written; grep /scratch /proc/mounts"
    flags = ["--read-only", "--tmpfs", "/scratch:size=1m,mode=1777"]
    refused, written, mount = cli("run", "--rm", *flags, image, "sh", "-c", command).splitlines()
    assert (refused, written) == ("refused", "written")
    assert mount.startswith("tmpfs /scratch tmpfs rw,nosuid,nodev,noexec") and "size=1024k" in mount


@pytest.mark.parametrize(
    ("flags", "effective"),
    [
        ([], "00000000a80425fb"),
        (["--cap-drop", "ALL"], "0000000000000000"),
        (["--cap-drop", "ALL", "--cap-add", "NET_ADMIN"], "0000000000001000"),
        (["--cap-add", "SYS_PTRACE"], "00000000a80c25fb"),
        (["--cap-drop", "CAP_CHOWN"], "00000000a80425fa"),
    ],
)
def test_capabilities_are_the_default_fourteen_and_flags_change_them(
    cli: Frontend, image: str, flags: list[str], effective: str
) -> None:
    assert cli("run", "--rm", *flags, image, "grep", "CapEff", "/proc/self/status").split()[1] == effective


def test_ulimits_are_set(cli: Frontend, image: str) -> None:
    flags = ["--ulimit", "nofile=123:456", "--ulimit", "core=0"]
    seen = cli("run", "--rm", *flags, image, "sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -c")
    assert seen.split() == ["123", "456", "0"]


@pytest.mark.needs_sampand
def test_init_reaps_orphans_and_forwards_signals(cli: Frontend, image: str, name: str, api: Api) -> None:
    orphans = "for i in 1 2 3; do (sleep 0.01 &); done; exec sleep 60"
    cli("run", "-d", "--init", "--name", name, image, "sh", "-c", orphans)
    code, first = api.exec(name, "cat", "/proc/1/comm")
    assert code == 0 and b"sleep" not in first and b"sh" not in first.split(b"\n")[0][:2]

    def are_reaped() -> bool:
        return b"Z" not in b"".join(line for line in api.exec(name, "ps", "-o", "stat")[1].splitlines(True)[1:])

    eventually(are_reaped)
    cli("kill", "--signal", "TERM", name)
    assert api.wait(name) == 143


def test_name_in_use_is_a_conflict_with_dockers_words(cli: Frontend, image: str, name: str) -> None:
    made = cli("run", "-d", "--name", name, image, "sleep", "60")
    result = cli.run("run", "-d", "--name", name, image, "true")
    assert result.code == 125
    assert f'Conflict. The container name "/{name}" is already in use by container "{made}"' in result.err


def test_labels_and_cidfile(cli: Frontend, image: str, name: str, api: Api, tmp_path) -> None:
    cli("run", "--name", name, "--label", "a=b", "-l", "bare", "--cidfile", str(tmp_path / "id"), image, "true")
    seen = api.inspect(name)
    assert seen["Config"]["Labels"] == {"a": "b", "bare": ""}
    assert (tmp_path / "id").read_text() == seen["Id"]


def test_terminal_run_echoes_resizes_and_returns_the_code(cli: Frontend, image: str, name: str) -> None:
    with cli.terminal("run", "-it", "--name", name, image, "sh", rows=33, columns=111) as terminal:
        terminal.wait_text("/ # ")
        terminal.send("stty size\n")
        terminal.wait_text("33 111")
        terminal.resize(44, 99)
        eventually(lambda: _size(terminal) == "44 99")
        terminal.send("tty; exit 5\n")
        terminal.wait_text("/dev/pts/0")
        assert terminal.wait_exit() == 5


def _size(terminal) -> str:
    terminal.send("stty size\n")
    return terminal.wait_text(r"^(\d+ \d+)").group(1)
