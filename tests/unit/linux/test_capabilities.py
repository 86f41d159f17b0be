import pytest

from sampan.linux import capabilities


def test_names_become_bits() -> None:
    assert capabilities.mask(["CAP_CHOWN", "CAP_KILL"]) == 1 << 0 | 1 << 5
    assert capabilities.NUMBERS["CAP_CHECKPOINT_RESTORE"] == 40


def test_a_name_that_no_kernel_has_adds_nothing() -> None:
    assert capabilities.mask(["CAP_NONSENSE"]) == 0
    assert capabilities.mask(["CAP_KILL", "CAP_NONSENSE"]) == 1 << 5


def test_the_bounding_set_can_be_remembered_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    own = capabilities.bounding()
    capabilities.remember_bounding()
    try:
        monkeypatch.setattr(capabilities.syscalls, "prctl", lambda *_: 0)
        assert capabilities.bounding() == own
        capabilities.forget_bounding()
        assert capabilities.bounding() == 0
    finally:
        capabilities.forget_bounding()


def test_the_bounding_set_is_what_proc_says_too() -> None:
    assert capabilities.bounding() == capabilities.status_mask("CapBnd")


def test_the_bounding_set_of_this_process_can_be_read() -> None:
    assert capabilities.status_mask("CapBnd") >= 0
    with pytest.raises(KeyError):
        capabilities.status_mask("CapXyz")
