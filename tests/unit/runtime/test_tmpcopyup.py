import pytest

from sampan.linux.mount import Mount
from sampan.runtime.tmpcopyup import FilledTmpfs


@pytest.mark.parametrize(
    ("kind", "target", "text"),
    [("proc", "/x", "only with tmpfs"), ("tmpfs", "/", "on `/` is not supported"), ("tmpfs", "/proc", "of type proc")],
)
def test_it_is_for_a_tmpfs_that_covers_something(kind: str, target: str, text: str) -> None:
    with pytest.raises(OSError, match=text):
        FilledTmpfs(Mount(kind, kind, target, ["tmpcopyup"])).prepare()


def test_the_word_is_not_the_file_systems() -> None:
    step = FilledTmpfs(Mount("tmpfs", "tmpfs", "/x", ["tmpcopyup", "size=1k"]))
    step.prepare()
    assert step.options.data == "size=1k"
