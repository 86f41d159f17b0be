"""What has to fail, and how that is told."""

import json
import os

import pytest

from support.ociruntime import HOLD, Lab

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_cgroups, pytest.mark.needs_busybox]


@pytest.mark.parametrize(
    "words",
    [
        ("state",),
        ("start",),
        ("kill",),
        ("delete",),
        ("pause",),
        ("resume",),
        ("ps",),
        ("update", "--pids-limit", "5"),
        ("events", "--stats"),
    ],
    ids=" ".join,
)
def test_a_container_that_does_not_exist_is_named(lab: Lab, words: tuple[str, ...]) -> None:
    assert "does not exist" in lab.refusal(*words, "smpoci-nobody")


def test_deleting_by_force_what_does_not_exist_is_no_failure(lab: Lab) -> None:
    lab.call("delete", "--force", "smpoci-nobody")


@pytest.mark.parametrize("id", ["", "..", "a/b", "../a", "a b", "ä"])
def test_an_id_that_is_no_name_is_refused(lab: Lab, id: str) -> None:
    lab.write(*HOLD)
    assert lab.refusal("create", "--bundle", lab.bundle, id)
    assert not os.path.exists(lab.states) or os.listdir(lab.states) == []


def test_a_bundle_without_a_config_is_refused(lab: Lab) -> None:
    assert "config.json" in lab.refusal("create", "--bundle", lab.bundle, lab.id)
    assert lab.refusal("create", "--bundle", f"{lab.folder}/nowhere", lab.id)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ociVersion": "1.0.2", "process": 7}'])
def test_a_config_that_is_none_is_refused(lab: Lab, text: str) -> None:
    with open(f"{lab.bundle}/config.json", "w") as file:
        file.write(text)
    assert lab.refusal("create", "--bundle", lab.bundle, lab.id)
    assert not lab.exists()


def test_an_unknown_verb_or_option_is_refused(lab: Lab) -> None:
    assert lab.refusal("no-such-verb")
    assert lab.refusal("state", "--no-such-option", lab.id)
    assert lab.refusal("state")
    assert lab.refusal("state", lab.id, "another")


def test_an_unknown_signal_is_refused(lab: Lab) -> None:
    lab.detach()
    assert lab.refusal("kill", lab.id, "NOSIGNAL")
    assert lab.status() == "running"


def test_failures_go_to_the_log_as_json(lab: Lab) -> None:
    lab.refusal("--log", f"{lab.folder}/log", "--log-format", "json", "state", lab.id)
    with open(f"{lab.folder}/log") as file:
        entry = json.loads(file.read().splitlines()[-1])
    assert entry["level"] == "error"
    assert "does not exist" in entry["msg"]
    assert entry["time"]


def test_a_root_that_is_missing_is_refused(lab: Lab) -> None:
    lab.config["root"]["path"] = "nowhere"
    lab.write(*HOLD)
    assert lab.refusal("create", "--bundle", lab.bundle, lab.id)
    assert not lab.exists()


def test_a_pause_needs_a_running_container(lab: Lab) -> None:
    lab.detach("true")
    lab.wait_stopped()
    assert lab.refusal("pause", lab.id)
    assert lab.refusal("resume", lab.id)
