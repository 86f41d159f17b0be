import pytest

from sampan.runtime.cgroup.disabled import NoCgroup
from sampan.runtime.cgroup.files import CgroupError


def test_nothing_is_made_limited_or_found() -> None:
    cgroup = NoCgroup()
    cgroup.create()
    cgroup.delegate(0, 0)
    cgroup.adopt(1)
    cgroup.apply({"pids": {"limit": 1}})
    assert (cgroup.entry_fds(), cgroup.clone_fd(), cgroup.folders, cgroup.pids()) == ([], 0, {}, set())
    assert cgroup.kill() and not cgroup.is_frozen() and cgroup.oom_kills() == 0
    assert cgroup.statistics()["pids"] == {}
    cgroup.remove(patience_s=1)


def test_what_needs_a_cgroup_is_an_error() -> None:
    cgroup = NoCgroup()
    for call in (
        lambda: cgroup.freeze(frozen=True),
        lambda: cgroup.update({}),
        lambda: cgroup.below({"": "a"}),
    ):
        with pytest.raises(CgroupError, match="control groups are disabled"):
            call()
