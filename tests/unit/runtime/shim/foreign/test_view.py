import errno

import pytest

from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.runtime.cgroup.detect import Hierarchies
from sampan.runtime.shim.foreign import view


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for name in ("unshare", "mount", "umount2"):
        monkeypatch.setattr(syscalls, name, lambda *args, name=name: found.append((name, *args)))
    return found


def having(monkeypatch: pytest.MonkeyPatch, v1: dict[str, str], v2: str) -> None:
    monkeypatch.setattr(view, "hierarchies", lambda: Hierarchies(v1, v2))


LEFT = [("unshare", c.CLONE_NEWNS), ("mount", "", "/", "", c.MS_REC | c.MS_SLAVE)]


def test_nothing_travels_back_to_the_host(calls: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    having(monkeypatch, {}, "/sys/fs/cgroup")
    view.leave_host()
    assert calls == LEFT


def test_a_unified_hierarchy_beside_version_1_is_hidden(
    calls: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    having(monkeypatch, {"memory": "/m", "cpu": "/c"}, "/u")
    view.leave_host()
    assert calls == [*LEFT, ("umount2", "/u", c.MNT_DETACH)]


def test_one_that_is_gone_is_no_error_and_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(number: int) -> None:
        def umount2(path: str, flags: int) -> None:
            raise OSError(number, "no", path)

        monkeypatch.setattr(syscalls, "umount2", umount2)

    failing(errno.EINVAL)
    view._hide("/u")
    failing(errno.EPERM)
    with pytest.raises(PermissionError):
        view._hide("/u")
