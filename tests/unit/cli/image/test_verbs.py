import pytest

from sampan.cli.image.verbs import split_reference
from sampan.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("web", ("web", "")),
        ("web:1", ("web", "1")),
        ("h:5000/web", ("h:5000/web", "")),
        ("h:5000/web:1", ("h:5000/web", "1")),
    ],
)
def test_a_tag_is_told_from_a_port(text: str, parts: tuple[str, str]) -> None:
    assert split_reference(text) == parts


def test_a_digest_names_no_tag() -> None:
    with pytest.raises(InvalidArgument, match="refusing to create a tag with a digest reference"):
        split_reference("web@sha256:" + "ab" * 32)
