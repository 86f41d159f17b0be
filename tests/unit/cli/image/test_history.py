from typing import Any

import pytest

from sampan.cli.image.history import row

STEP = {"Id": "sha256:" + "ab" * 32, "Created": 1_000_000, "CreatedBy": "RUN\t" + "x" * 60, "Size": 1_500_000}


@pytest.mark.parametrize(
    ("changed", "options", "column", "text"),
    [
        ({}, {}, "ID", "abababababab"),
        ({}, {"truncates": False}, "ID", STEP["Id"]),
        ({"Id": "<missing>"}, {}, "ID", "<missing>"),
        ({}, {}, "CreatedSince", "2 hours ago"),
        ({"Created": 0}, {}, "CreatedSince", "N/A"),
        ({}, {"truncates": False}, "CreatedBy", "RUN " + "x" * 60),
        ({}, {}, "Size", "1.5MB"),
        ({}, {"is_human": False}, "Size", "1500000"),
        ({}, {}, "Comment", ""),
    ],
)
def test_a_step_is_shown_as_docker_shows_it(
    changed: dict[str, Any], options: dict[str, bool], column: str, text: str
) -> None:
    found = row({**STEP, **changed}, **{"truncates": True, "is_human": True, "now_s": 1_007_200.0, **options})
    assert found[column] == text


def test_a_long_command_is_cut() -> None:
    found = row(STEP, truncates=True, is_human=True, now_s=1_007_200.0)
    assert len(found["CreatedBy"]) == 45
    assert found["CreatedBy"].endswith("…")
