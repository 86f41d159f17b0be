import pytest

from sampan.linux import capabilities


def test_names_become_bits() -> None:
    assert capabilities.mask(["CAP_CHOWN", "CAP_KILL"]) == 1 << 0 | 1 << 5
    assert capabilities.NUMBERS["CAP_CHECKPOINT_RESTORE"] == 40


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(KeyError, match="CAP_NONSENSE"):
        capabilities.mask(["CAP_NONSENSE"])


def test_the_bounding_set_of_this_process_can_be_read() -> None:
    assert capabilities.status_mask("CapBnd") >= 0
    with pytest.raises(KeyError):
        capabilities.status_mask("CapXyz")
