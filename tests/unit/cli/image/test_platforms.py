import json

import pytest

from sampan.cli.image.platforms import platform_json
from sampan.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", {"os": "linux", "architecture": "amd64"}),
        ("linux/arm64/v8", {"os": "linux", "architecture": "arm64", "variant": "v8"}),
    ],
)
def test_a_platform_is_an_object_of_its_parts(text: str, platform: dict[str, str]) -> None:
    assert json.loads(platform_json(text)) == platform


@pytest.mark.parametrize("text", ["", "linux", "linux/", "/amd64", "a/b/c/d"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid platform"):
        platform_json(text)
