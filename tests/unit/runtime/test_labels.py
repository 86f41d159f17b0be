import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.linux import trustedproc
from sampan.runtime import labels
from sampan.runtime.restrict import StageError


class Written:
    """A directory that takes what would go to a thread's files in procfs; the real calls refuse such a one."""

    def __init__(self, root: Path, *, apparmor: bool, current: str = "unconfined\n") -> None:
        self.root = root
        self.values: dict[str, str] = {}
        folders = ["attr", "attr/apparmor"] if apparmor else ["attr"]
        for folder in folders:
            (root / folder).mkdir()
            (root / folder / "exec").touch()
            (root / folder / "current").write_text(current)

    def open_self(self, proc_fd: int, name: str, flags: int = os.O_RDONLY) -> int:
        return os.open(self.root / name, flags)

    def read_self(self, proc_fd: int, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def write_self(self, proc_fd: int, name: str, value: str) -> None:
        self.values[name] = value


def use(monkeypatch: pytest.MonkeyPatch, files: Written) -> dict[str, str]:
    for name in ("open_self", "read_self", "write_self"):
        monkeypatch.setattr(trustedproc, name, getattr(files, name))
    return files.values


@pytest.fixture
def proc() -> Iterator[int]:
    fd = os.open("/proc", os.O_PATH)
    yield fd
    os.close(fd)


def test_a_profile_goes_to_apparmors_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proc: int) -> None:
    values = use(monkeypatch, Written(tmp_path, apparmor=True))
    labels.apply({"apparmorProfile": "sampan-default"}, proc)
    assert values == {"attr/apparmor/exec": "exec sampan-default"}


def test_an_older_kernel_has_one_file_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proc: int) -> None:
    values = use(monkeypatch, Written(tmp_path, apparmor=False))
    labels.apply({"apparmorProfile": "a", "noNewPrivileges": True}, proc)
    assert values == {"attr/exec": "exec a"}


@pytest.mark.parametrize(
    ("current", "no_new_privileges", "expected"),
    [
        ("unconfined\n", True, "exec a"),
        ("runner (enforce)\n", True, "stack a"),
        ("unconfined_runner (enforce)\n", True, "stack a"),
        ("runner (enforce)\n", False, "exec a"),
    ],
)
def test_a_confined_runtime_stacks_where_no_privileges_may_be_gained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proc: int, current: str, no_new_privileges: bool, expected: str
) -> None:
    values = use(monkeypatch, Written(tmp_path, apparmor=True, current=current))
    labels.apply({"apparmorProfile": "a", "noNewPrivileges": no_new_privileges}, proc)
    assert values == {"attr/apparmor/exec": expected}


def test_a_process_label_goes_to_the_common_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proc: int) -> None:
    values = use(monkeypatch, Written(tmp_path, apparmor=True))
    labels.apply({"selinuxLabel": "u:r:t:s0"}, proc)
    labels.set_key_label(proc, "u:r:t:s0")
    assert values == {"attr/exec": "u:r:t:s0", "attr/keycreate": "u:r:t:s0"}


def test_nothing_asked_for_opens_nothing() -> None:
    labels.apply({}, 1 << 20)
    labels.check({"apparmorProfile": "", "selinuxLabel": ""})


@pytest.mark.parametrize("folder", ["attr", "attr/apparmor"])
def test_a_fake_procfs_is_an_error_and_not_a_container_without_a_profile(tmp_path: Path, folder: str) -> None:
    (tmp_path / "thread-self" / folder).mkdir(parents=True)
    (tmp_path / "thread-self" / folder / "exec").touch()
    fd = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    with pytest.raises(StageError, match=r"unable to apply apparmor profile: .*not a file of procfs"):
        labels.apply({"apparmorProfile": "a"}, fd)
    os.close(fd)


@pytest.mark.skipif(labels.is_apparmor_enabled(), reason="this machine has AppArmor")
def test_a_profile_without_apparmor_is_refused() -> None:
    with pytest.raises(StageError, match="apparmor: config provided but apparmor not supported"):
        labels.check({"apparmorProfile": "a"})


@pytest.mark.skipif(labels.is_selinux_enabled(), reason="this machine has SELinux")
def test_a_label_without_selinux_is_refused() -> None:
    with pytest.raises(StageError, match="selinux label is specified in config, but selinux is disabled"):
        labels.check({"selinuxLabel": "u:r:t:s0"})


@pytest.mark.parametrize(
    ("current", "is_enabled"),
    [
        ("system_u:system_r:init_t:s0\0", True),
        ("u:r:t", True),
        ("kernel\0", False),
        ("unconfined\n", False),
        ("docker-default (enforce)\n", False),
    ],
)
def test_a_loaded_policy_shows_in_a_processs_own_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proc: int, current: str, is_enabled: bool
) -> None:
    use(monkeypatch, Written(tmp_path, apparmor=False, current=current))
    monkeypatch.setattr(labels, "_SELINUX_FILESYSTEM", tmp_path)
    assert labels.is_selinux_enabled(proc) is is_enabled


def test_mounts_that_can_have_a_context_get_it() -> None:
    assert labels.mount_data("tmpfs", "", "u:r:t:s0:c1,c2") == 'context="u:r:t:s0:c1,c2"'
    assert labels.mount_data("devpts", "newinstance,mode=0620", "l") == 'newinstance,mode=0620,context="l"'
    assert labels.mount_data("tmpfs", "", "l", context_type="rootcontext") == 'rootcontext="l"'
    for kind in ("proc", "sysfs", "mqueue", "cgroup"):
        assert labels.mount_data(kind, "ro", "l") == "ro"
    assert labels.mount_data("tmpfs", "size=1", "") == "size=1"


def test_a_foreign_context_type_is_refused() -> None:
    with pytest.raises(StageError, match="invalid mount context type 'x'"):
        labels.mount_data("tmpfs", "", "l", context_type="x")
