import io
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from sampan.errors import InvalidArgument
from sampan.runtime.command import main
from sampan.runtime.command.context import Context
from sampan.runtime.command.options import parse
from sampan.runtime.command.store import Container
from sampan.runtime.command.verbs import update

Make = Callable[..., Container]
Sleeper = subprocess.Popen[bytes]


def flags(words: str) -> dict[str, Any]:
    return update.from_flags(parse(update.COMMAND.flags, words.split(), in_order=False))


def test_flags_become_resources() -> None:
    words = "--memory 100m --memory-swap -1 --cpu-share 512 --cpu-quota -1 --cpuset-cpus 0-1 --pids-limit -1 one"
    assert flags(words) == {
        "cpu": {"quota": -1, "shares": 512, "cpus": "0-1"},
        "memory": {"limit": 100 << 20, "swap": -1},
        "pids": {"limit": -1},
    }
    assert flags("--blkio-weight 500 --cpu-idle 1 --cpu-period=50000 --memory-reservation 52428800") == {
        "blockIO": {"weight": 500},
        "cpu": {"period": 50000, "idle": 1},
        "memory": {"reservation": 52428800},
    }
    assert flags("--kernel-memory 1") == {}


@pytest.mark.parametrize("words", ["--cpu-share x", "--cpu-share -1", "--memory 1x", "--memory -2", "--cpu-idle one"])
def test_values_that_are_none_are_refused(words: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid value for"):
        flags(words)


@pytest.mark.parametrize(
    ("word", "size"),
    [
        ("0", 0),
        ("-1", -1),
        ("5", 5),
        ("5b", 5),
        ("1k", 1024),
        ("1KB", 1024),
        ("1KiB", 1024),
        ("1.5g", 3 << 29),
        ("2T", 2 << 40),
    ],
)
def test_sizes_have_binary_suffixes(word: str, size: int) -> None:
    assert update.size_bytes(word) == size


def test_old_limits_stay_beside_new_ones() -> None:
    old = {"memory": {"limit": 5, "swap": 7}, "devices": [1], "pids": {"limit": 3}}
    new = {"memory": {"limit": 6}, "devices": [2]}
    assert update.merge(old, new) == {"memory": {"limit": 6, "swap": 7}, "devices": [2], "pids": {"limit": 3}}
    assert old["memory"] == {"limit": 5, "swap": 7}


def completed(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return update.complete(new, update.merge(old, new))


def test_pairs_are_set_together() -> None:
    assert completed({"cpu": {"period": 5}}, {"cpu": {"quota": 1}}) == {"cpu": {"quota": 1, "period": 5}}
    assert completed({"cpu": {"quota": 5}}, {"cpu": {"period": 1}}) == {"cpu": {"quota": 5, "period": 1}}
    assert completed({}, {"cpu": {"shares": 1}}) == {"cpu": {"shares": 1}}
    assert completed({"memory": {"limit": 5}}, {"memory": {"swap": 9}}) == {"memory": {"swap": 9, "limit": 5}}
    assert completed({"memory": {"limit": 5, "swap": 5}}, {"memory": {"limit": -1}}) == {
        "memory": {"limit": -1, "swap": -1}
    }


def run(context: Context, *words: str) -> int:
    return main.main(["--root", context.root, "update", *words])


def test_an_update_is_applied_and_remembered(context: Context, make: Make, cgroup: Any, sleeper: Sleeper) -> None:
    make("one", process=sleeper, cgroup_manager="cgroupfs", spec={"linux": {"resources": {"cpu": {"period": 10}}}})
    assert run(context, "--cpu-quota", "5", "one") == 0
    assert run(context, "one", "--pids-limit", "7") == 0
    assert cgroup.updates == [{"cpu": {"quota": 5, "period": 10}}, {"pids": {"limit": 7}}]
    kept = Container.load(context.root, "one").spec["linux"]["resources"]
    assert kept == {"cpu": {"period": 10, "quota": 5}, "pids": {"limit": 7}}


def test_resources_come_from_a_file_or_standard_input(
    context: Context, make: Make, cgroup: Any, sleeper: Sleeper, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("one", process=sleeper, cgroup_manager="cgroupfs")
    (tmp_path / "r").write_text(json.dumps({"memory": {"limit": 1}}))
    assert run(context, "-r", f"{tmp_path}/r", "--pids-limit", "3", "one") == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"unified": {"a": "b"}}')))
    assert run(context, "--resources=-", "one") == 0
    assert cgroup.updates == [{"memory": {"limit": 1}}, {"unified": {"a": "b"}}]


@pytest.mark.parametrize("text", ["[]", "{", ""])
def test_a_file_without_resources_is_refused(tmp_path: Any, text: str) -> None:
    (tmp_path / "r").write_text(text)
    with pytest.raises(InvalidArgument, match="cannot parse resources"):
        update.read(f"{tmp_path}/r")


def test_a_stopped_container_has_no_limits(
    context: Context, make: Make, cgroup: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    make("one", cgroup_manager="cgroupfs")
    assert run(context, "--pids-limit", "1", "one") == 1
    assert "container not running" in capfd.readouterr().err


def test_intel_rdt_is_updated_where_it_is(
    context: Context, make: Make, cgroup: Any, sleeper: Sleeper, capfd: pytest.CaptureFixture[str]
) -> None:
    make("one", process=sleeper, cgroup_manager="cgroupfs")
    assert run(context, "--l3-cache-schema", "L3:0=f", "one") == 1
    assert "non-existent Intel RDT" in capfd.readouterr().err
