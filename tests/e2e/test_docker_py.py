"""docker-py, a client we did not write, at work on the engine."""

import io
import os
import threading
from collections.abc import Iterator

import docker
import pytest
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound
from docker.models.containers import Container

from support import rootfs

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_overlay,
    pytest.mark.needs_busybox,
    # requests' pool leaves sockets to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def client(engine) -> Iterator[docker.DockerClient]:
    """A client that negotiates the version."""
    made = docker.DockerClient(base_url=f"unix://{engine.socket_path}", version="auto", timeout=60)
    yield made
    made.close()


@pytest.fixture
def sleeper(client: docker.DockerClient, image: str, name: str) -> Container:
    """A container that waits."""
    return client.containers.run(image, ["sleep", "300"], name=name, detach=True)


def test_version_is_negotiated(client: docker.DockerClient) -> None:
    assert client.ping() and client.version()["ApiVersion"] == "1.51"
    assert client.info()["OSType"] == "linux"


def test_run_returns_output_and_raises_on_failure(client: docker.DockerClient, image: str) -> None:
    assert client.containers.run(image, ["echo", "hello"], remove=True) == b"hello\n"
    with pytest.raises(ContainerError) as failed:
        client.containers.run(image, ["sh", "-c", "echo why >&2; exit 3"], remove=True)
    assert (failed.value.exit_status, failed.value.stderr) == (3, b"why\n")


def test_life_of_a_container(client: docker.DockerClient, image: str, name: str) -> None:
    container = client.containers.create(image, ["sh", "-c", "trap 'exit 4' TERM; while :; do sleep 0.05; done"],
                                         name=name, environment={"A": "b"}, labels={"l": "v"})  # fmt: skip
    assert container.status == "created"
    container.start()
    container.reload()
    assert container.status == "running" and container.labels == {"l": "v"}
    assert container.id in [entry.id for entry in client.containers.list(filters={"label": "l=v"})]
    container.exec_run(["sleep", "0.2"])  # lets the shell set its trap
    container.stop(timeout=10)
    assert container.wait()["StatusCode"] == 4
    container.restart(timeout=0)
    container.kill()
    assert container.wait()["StatusCode"] == 137
    container.remove()
    with pytest.raises(NotFound):
        client.containers.get(name)


def test_logs_as_text_and_as_a_stream(client: docker.DockerClient, image: str, name: str) -> None:
    container = client.containers.run(image, ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.05; done"],
                                      name=name, detach=True)  # fmt: skip
    assert b"".join(container.logs(stream=True, follow=True)) == b"1\n2\n3\n"
    assert container.logs(tail=1) == b"3\n"
    assert container.logs(stdout=False, stderr=True) == b""


def test_exec_run_gives_code_output_and_demuxed_streams(sleeper: Container) -> None:
    assert sleeper.exec_run(["sh", "-c", "echo a; exit 9"]) == (9, b"a\n")
    code, (out, err) = sleeper.exec_run(["sh", "-c", "echo o; echo e >&2"], demux=True)
    assert (code, out, err) == (0, b"o\n", b"e\n")
    assert sleeper.exec_run("env", environment={"X": "y"}).output.count(b"X=y") == 1
    assert sleeper.exec_run("pwd", workdir="/tmp", user="app").output == b"/tmp\n"


def test_exec_over_a_hijacked_socket(client: docker.DockerClient, sleeper: Container) -> None:
    made = client.api.exec_create(sleeper.id, ["cat"], stdin=True, tty=True)["Id"]
    stream = client.api.exec_start(made, tty=True, socket=True)
    raw = stream._sock  # docker-py hands out a file object around it
    raw.sendall(b"typed\n")
    seen = b""
    while seen.count(b"typed") < 2:
        seen += raw.recv(100)
    client.api.exec_resize(made, height=20, width=70)
    raw.sendall(b"\x04")
    while raw.recv(100):
        pass
    stream.close()
    assert client.api.exec_inspect(made)["ExitCode"] == 0


def test_attach_socket_carries_input(client: docker.DockerClient, image: str, name: str) -> None:
    container = client.containers.create(image, ["cat"], name=name, stdin_open=True, tty=True)
    stream = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    stream._sock.sendall(b"through\n")
    seen = b""
    while seen.count(b"through") < 2:
        seen += stream._sock.recv(100)
    stream.close()


def test_wait_started_before_the_end_sees_it(client: docker.DockerClient, image: str, name: str) -> None:
    container = client.containers.create(image, ["sh", "-c", "exit 12"], name=name)
    codes: list[int] = []
    waiter = threading.Thread(target=lambda: codes.append(container.wait(condition="next-exit")["StatusCode"]))
    waiter.start()
    while not codes:
        container.start()
        waiter.join(1)
    assert codes == [12]


def test_images_import_load_save_tag_and_remove(client: docker.DockerClient, name: str) -> None:
    client.api.import_image_from_data(rootfs.busybox(), repository=name, tag="1")
    image = client.images.get(f"{name}:1")
    assert image.tag(name, "2")
    saved = b"".join(client.images.get(f"{name}:1").save(named=True))
    client.images.remove(f"{name}:1")
    client.images.remove(f"{name}:2")
    with pytest.raises(ImageNotFound):
        client.images.get(f"{name}:1")
    (loaded,) = client.images.load(io.BytesIO(saved).getvalue())
    assert loaded.id == image.id
    assert client.containers.run(f"{name}:1", ["cat", "/www/index.html"], remove=True) == rootfs.PAGE


def test_errors_carry_status_and_message(client: docker.DockerClient, image: str, sleeper: Container) -> None:
    with pytest.raises(APIError) as conflict:
        client.containers.create(image, ["true"], name=sleeper.name)
    assert conflict.value.status_code == 409 and "is already in use by container" in conflict.value.explanation
    with pytest.raises(APIError) as running:
        sleeper.remove()
    assert running.value.status_code == 409


def test_events_are_generated_as_objects(client: docker.DockerClient, image: str, name: str) -> None:
    stream = client.events(decode=True, filters={"container": name})
    client.containers.run(image, ["true"], name=name, remove=True)
    seen: list[str] = []
    for event in stream:
        seen.append(event["Action"])
        if event["Action"] == "destroy":
            break
    stream.close()
    assert [action for action in seen if action != "attach"] == ["create", "start", "die", "destroy"]


def test_host_configuration_comes_back_from_inspect(
    client: docker.DockerClient, image: str, name: str, tmp_path
) -> None:
    container = client.containers.create(
        image, ["true"], name=name, mem_limit="64m", nano_cpus=500_000_000, pids_limit=20, read_only=True,
        cap_add=["NET_ADMIN"], cap_drop=["CHOWN"], ports={"80/tcp": ("127.0.0.1", None)}, hostname="boat",
        volumes={str(tmp_path): {"bind": "/vol", "mode": "ro"}}, tmpfs={"/t": "size=1m"}, user="app",
        ulimits=[docker.types.Ulimit(name="nofile", soft=10, hard=20)], init=True, dns=["10.0.0.1"],
    )  # fmt: skip
    seen, host = container.attrs, container.attrs["HostConfig"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (64 << 20, 500_000_000, 20)
    assert host["ReadonlyRootfs"] and host["Init"] and host["Dns"] == ["10.0.0.1"]
    assert host["CapAdd"] == ["NET_ADMIN"] and host["CapDrop"] == ["CHOWN"]
    assert host["Binds"] == [f"{tmp_path}:/vol:ro"] and host["Tmpfs"] == {"/t": "size=1m"}
    assert seen["Config"]["Hostname"] == "boat" and seen["Config"]["User"] == "app"
    assert [(m["Type"], m["Source"], m["Destination"], m["RW"]) for m in seen["Mounts"] if m["Type"] == "bind"] == [
        ("bind", os.fspath(tmp_path), "/vol", False)
    ]
