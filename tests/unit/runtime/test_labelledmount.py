from typing import Any

import pytest

from sampan.linux.mount import Mount, parse_options
from sampan.runtime import labelledmount, labels, rootfs
from sampan.runtime.labelledmount import LabelledQueues
from sampan.runtime.restrict import StageError
from sampan.runtime.steps import FileSystem

LABEL = "system_u:object_r:container_file_t:s0:c1,c2"


@pytest.fixture
def enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "is_selinux_enabled", lambda: True)


def spec(kind: str, **fields: Any) -> dict[str, Any]:
    mounts = [{"destination": "/x", "type": kind, "options": ["mode=700"]}]
    return {"mounts": mounts, "linux": {"mountLabel": LABEL}, **fields}


def data(found: dict[str, Any]) -> str:
    (step,), _ = rootfs.plan_mounts(found, {})
    assert isinstance(step, FileSystem)
    return step.options.data


def test_a_new_file_system_is_told_the_label(enabled: None) -> None:
    assert data(spec("tmpfs")) == f'mode=700,context="{LABEL}"'
    assert data(spec("proc")) == "mode=700"


def test_an_annotation_chooses_the_kind_of_context(enabled: None) -> None:
    chosen = {labelledmount.ANNOTATION: "rootcontext"}
    assert data(spec("tmpfs", annotations=chosen)) == f'mode=700,rootcontext="{LABEL}"'
    with pytest.raises(StageError, match="invalid mount context type"):
        data(spec("tmpfs", annotations={labelledmount.ANNOTATION: "nonsense"}))


def test_queues_get_it_when_they_are_mounted(enabled: None) -> None:
    (step,), _ = rootfs.plan_mounts(spec("mqueue"), {})
    assert isinstance(step, LabelledQueues) and step.label == LABEL


def test_without_selinux_there_are_no_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "is_selinux_enabled", lambda: False)
    assert data(spec("tmpfs")) == "mode=700"
    assert labelledmount.of_config(spec("tmpfs")) == ("", "")


def test_the_label_is_the_last_of_the_options() -> None:
    options = parse_options(Mount("tmpfs", "", "/x", ["size=1k"]).options)
    labelledmount.add_label("tmpfs", options, LABEL, "context")
    assert options.data == f'size=1k,context="{LABEL}"'
