"""Changing ids and coming back, in a child; the mounts themselves need root (tests/e2e/test_userns_remap.py)."""

import os

import pytest

from sampan.linux import capabilities
from sampan.runtime.idmap import IdMap
from sampan.runtime.mappedlayers import AsMappedRoot, enter
from support import children

MAPPING = IdMap([(0, 100000, 65536)], [(0, 200000, 65536)])


@pytest.mark.needs_root
def test_the_ids_are_roots_behind_the_mapping_and_the_capabilities_stay() -> None:
    def life() -> None:
        before = capabilities.status_mask("CapEff")
        with AsMappedRoot(MAPPING):
            assert (os.geteuid(), os.getegid()) == (100000, 200000)
            assert capabilities.status_mask("CapEff") == before
        assert (os.geteuid(), os.getegid()) == (0, 0)
        os.setresuid(1, 1, 1)  # the usual rules hold again
        assert capabilities.status_mask("CapEff") == 0

    assert children.code_of(life) == 0


def test_without_privileges_it_is_refused() -> None:
    def life() -> None:
        if os.geteuid() == 0:
            os.setresuid(1, 1, 1)
        with pytest.raises(PermissionError):
            AsMappedRoot(MAPPING).__enter__()

    assert children.code_of(life) == 0


def test_a_folder_that_is_not_there_is_an_error_and_leaves_no_descriptor() -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        enter("/no/such/folder", MAPPING, "/")
    assert os.listdir("/proc/self/fd") == before
