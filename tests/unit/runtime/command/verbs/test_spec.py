import json
import os
from typing import Any

import pytest

from sampan.runtime.command import config, main
from sampan.runtime.command.verbs.spec import example


def test_the_example_is_written_and_valid(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir("rootfs")
    assert main.main(["spec"]) == 0
    text = (tmp_path / "config.json").read_text()
    assert text.startswith('{\n\t"ociVersion": "1.2.1",\n\t"process": {\n')
    assert config.validate(json.loads(text), str(tmp_path)) == []


def test_nothing_is_overwritten(tmp_path: Any, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["spec", "--bundle", str(tmp_path)]
    assert main.main(words) == 0
    assert main.main(words) == 1
    assert "config.json exists. Remove it first" in capfd.readouterr().err
    assert main.main([*words, "-f", "other.json"]) == 0
    assert sorted(os.listdir(tmp_path)) == ["config.json", "other.json"]


def test_the_rootless_one_has_a_user_namespace_and_nothing_that_takes_rights(bundle: str) -> None:
    spec = example(is_rootless=True, is_cgroup2=True)
    kinds = [space["type"] for space in spec["linux"]["namespaces"]]
    assert "user" in kinds and "cgroup" in kinds and "network" not in kinds
    assert spec["linux"]["uidMappings"] == [{"containerID": 0, "hostID": os.geteuid(), "size": 1}]
    assert "resources" not in spec["linux"]
    assert not any(word.startswith("gid=") for mount in spec["mounts"] for word in mount.get("options", []))
    (sys_mount,) = (mount for mount in spec["mounts"] if mount["destination"] == "/sys")
    assert (sys_mount["type"], sys_mount["source"], sys_mount["options"][0]) == ("none", "/sys", "rbind")
    assert config.validate(spec, bundle, rootless=True) == []
