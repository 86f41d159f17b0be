import json

import pytest

from sampan.runtime.command import main
from sampan.runtime.command.verbs.features import features


def test_the_fields_of_the_specification_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["features"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ociVersionMin"] == "1.0.0"
    assert set(found["linux"]) >= {"namespaces", "capabilities", "cgroup", "seccomp", "apparmor", "selinux", "intelRdt"}
    assert {"time", "cgroup", "user"} <= set(found["linux"]["namespaces"])
    assert "SCMP_ACT_NOTIFY" in found["linux"]["seccomp"]["actions"]
    assert "SCMP_ARCH_X86_64" in found["linux"]["seccomp"]["archs"]
    assert {"CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"} <= set(found["linux"]["capabilities"])


def test_mount_options_are_each_named_once() -> None:
    options = features()["mountOptions"]
    assert len(options) == len(set(options))
    assert {"rro", "tmpcopyup", "idmap", "rbind", "rslave"} <= set(options)
