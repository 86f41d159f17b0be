import pytest

from sampan.runtime.cgroup.files import CgroupError
from sampan.runtime.cgroup.systemd.names import expand_slice, parse_target


@pytest.mark.parametrize(
    ("text", "unit", "slice_name", "path"),
    [
        ("system.slice:docker:1234", "docker-1234.scope", "system.slice", "/system.slice/docker-1234.scope"),
        (":p:n", "p-n.scope", "system.slice", "/system.slice/p-n.scope"),
        ("a-b.slice::n", "n.scope", "a-b.slice", "/a.slice/a-b.slice/n.scope"),
        ("system.slice:x.scope", "x.scope", "system.slice", "/system.slice/x.scope"),
        ("system.slice:x", "x.scope", "system.slice", "/system.slice/x.scope"),
        ("-.slice:p:n", "p-n.scope", "-.slice", "/p-n.scope"),
        ("/a.slice/a-b.slice/p-n.scope", "p-n.scope", "a-b.slice", "/a.slice/a-b.slice/p-n.scope"),
    ],
)
def test_a_cgroups_path_names_a_scope_and_its_place(text: str, unit: str, slice_name: str, path: str) -> None:
    target = parse_target(text, is_user=False)
    assert (target.unit, target.slice_name, target.path) == (unit, slice_name, path)


def test_a_user_has_a_slice_below_the_users_systemd() -> None:
    target = parse_target(":p:n", is_user=True, manager_path="/user.slice/user-7.slice/user@7.service")
    assert target.slice_name == "user.slice"
    assert target.path == "/user.slice/user-7.slice/user@7.service/user.slice/p-n.scope"


@pytest.mark.parametrize("text", ["abc", "a:b:c:d", ":p:a/b", "system:p:n", "a--b.slice:p:n", "-a.slice:p:n"])
def test_what_is_no_name_is_an_error(text: str) -> None:
    with pytest.raises(CgroupError, match=r"expected cgroupsPath|invalid"):
        parse_target(text, is_user=False)


@pytest.mark.parametrize("path", ["/system.slice", "/system.slice/.scope", "/system.slice/x.service"])
def test_a_path_has_to_end_in_a_scope(path: str) -> None:
    with pytest.raises(CgroupError, match="invalid systemd unit name"):
        parse_target(path, is_user=False)


def test_a_dash_is_a_step_down() -> None:
    assert expand_slice("test-a-b.slice") == "/test.slice/test-a.slice/test-a-b.slice"
    assert expand_slice("-.slice") == "/"
    for name in ("x", ".slice", "a/b.slice"):
        with pytest.raises(CgroupError, match="invalid slice name"):
            expand_slice(name)
