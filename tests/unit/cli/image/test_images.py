import pytest

from sampan.cli.image.images import names

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("tags", "digests", "shows", "expected"),
    [
        (["web:1", "web:2"], [], False, [("web", "1", "<none>"), ("web", "2", "<none>")]),
        (["h:5000/web:1"], [f"h:5000/web@{DIGEST}"], True, [("h:5000/web", "1", DIGEST)]),
        (["web:1"], [f"web@{DIGEST}"], False, [("web", "1", "<none>")]),
        ([], [f"web@{DIGEST}"], True, [("web", "<none>", DIGEST)]),
        ([], [f"web@{DIGEST}"], False, [("web", "<none>", "<none>")]),
        ([], [], True, [("<none>", "<none>", "<none>")]),
        (["<none>:<none>"], ["<none>@<none>"], True, [("<none>", "<none>", "<none>")]),
        (None, None, False, [("<none>", "<none>", "<none>")]),
    ],
)
def test_an_image_has_a_line_for_each_name(
    tags: list[str] | None, digests: list[str] | None, shows: bool, expected: list[tuple[str, str, str]]
) -> None:
    assert list(names({"RepoTags": tags, "RepoDigests": digests}, digests=shows)) == expected
