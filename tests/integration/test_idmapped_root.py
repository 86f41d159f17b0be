"""A root of layers that are seen through id mappings: on disk all files keep the image's ids (userns-remap)."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from sampan import errors
from sampan.linux.mount import Mount
from sampan.runtime.request import LaunchRequest
from support.launching import Container, Lab, Terminal

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_overlay,
    pytest.mark.needs_cgroups,
    pytest.mark.needs_busybox,
]

FIRST = 100000
MAPPING = [{"containerID": 0, "hostID": FIRST, "size": 65536}]
WORD = f"x-sampan.idmap=uids=0-{FIRST}-65536;gids=0-{FIRST}-65536"


@pytest.fixture
def lab() -> Iterator[Lab]:
    found = Lab()
    yield found
    found.destroy()


def request(lab: Lab, container: Container, script: str, *, folder: str = "", word: str = WORD) -> LaunchRequest:
    spec = lab.spec("sh", "-c", script)
    spec["linux"]["namespaces"].append({"type": "user"})
    spec["linux"] |= {"uidMappings": MAPPING, "gidMappings": MAPPING, "cgroupsPath": container.cgroup}
    layer = f"layers/{container.id}"
    options = ["lowerdir=lower", f"upperdir={layer}/fs", f"workdir={layer}/work"]
    options += [f"x-sampan.chdir={folder or lab.folder}", word]
    return LaunchRequest(
        id=container.id,
        spec=spec,
        rootfs=[Mount("overlay", "overlay", "", options)],
        exec_dir=container.exec_dir,
        exit_path=container.exit_path,
        log={"driver": "json-file", "path": container.log_path, "max_size": 0, "max_file": 1},
    )


async def outcome(lab: Lab, container: Container, asked: LaunchRequest) -> list[str]:
    terminal = Terminal()
    netns = await lab.launcher.netns()
    try:
        streams = [terminal.stream(framed=False, stdin=False)]
        container.shim = await lab.launcher.launch(asked, netns=netns, attaches=streams)
        await container.shim.start()
        out = await terminal.read_to_end()
        await container.shim.wait_exit()
    finally:
        netns.close()
        terminal.sock.close()
        container.shim.disconnect()
    return out.decode().split()


def test_root_of_the_container_is_somebody_else_on_the_host_and_root_on_disk(lab: Lab) -> None:
    script = (
        "stat -c %u:%g /etc/passwd /bin/busybox; rm /etc/group; mkdir /made; echo x >/made/file; chown 5:6 /made/file;"
        " echo y >>/etc/passwd; stat -c %u:%g /made/file /made /etc/passwd"
    )

    async def body(lab: Lab) -> None:
        container = lab.container()
        out = await outcome(lab, container, request(lab, container, script))
        assert out == ["0:0", "0:0", "5:6", "0:0", "0:0"]
        owners = {path: os.lstat(container.upper(path)) for path in ("made", "made/file", "etc/passwd")}
        assert {path: (found.st_uid, found.st_gid) for path, found in owners.items()} == {
            "made": (0, 0),
            "made/file": (5, 6),
            "etc/passwd": (0, 0),
        }

    lab.run(body)


def test_the_process_has_the_ids_of_the_mapping_on_the_host(lab: Lab) -> None:
    async def body(lab: Lab) -> None:
        container = lab.container()
        netns = await lab.launcher.netns()
        container.shim = await lab.launcher.launch(request(lab, container, "sleep 60"), netns=netns, attaches=[])
        netns.close()
        started = await container.shim.start()
        assert os.stat(f"/proc/{started.pid}").st_uid == FIRST
        await lab.end(container)

    lab.run(body)


def test_nothing_of_the_mapped_layers_can_be_seen_inside(lab: Lab) -> None:
    async def body(lab: Lab) -> Any:
        container = lab.container()
        return await outcome(lab, container, request(lab, container, "cut -d' ' -f5 /proc/self/mountinfo"))

    places = lab.run(body)
    assert places.count("/") == 1
    assert not [place for place in places if lab.folder in place]


@pytest.mark.parametrize(
    ("folder", "word", "text"),
    [("/proc", WORD, "cannot be idmapped"), ("", "x-sampan.idmap=uids=0-1", "invalid mapping specified `0-1`")],
)
def test_what_cannot_be_mapped_is_an_error(lab: Lab, folder: str, word: str, text: str) -> None:
    async def body(lab: Lab) -> str:
        container = lab.container()
        with pytest.raises(errors.StartFailed) as caught:
            await outcome(lab, container, request(lab, container, "true", folder=folder, word=word))
        return str(caught.value)

    assert text in lab.run(body)
