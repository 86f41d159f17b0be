import pytest

from sampan.engine.containers.signals import deliverable, parse_signal
from sampan.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "number"),
    [("TERM", 15), ("sigterm", 15), ("SIGKILL", 9), ("9", 9), ("RTMIN", 34), ("RTMIN+3", 37), ("SIGRTMAX-1", 63)],
)
def test_signals_have_dockers_names(text: str, number: int) -> None:
    assert parse_signal(text) == number


@pytest.mark.parametrize("text", ["FOO", "", "0", "-1", "RTMIN+99", "SIG"])
def test_other_texts_are_no_signals(text: str) -> None:
    with pytest.raises(InvalidArgument, match=f"invalid signal: {text.replace('+', '[+]')}"):
        parse_signal(text)


def test_a_number_the_kernel_does_not_have_cannot_be_sent() -> None:
    assert deliverable("64") == 64
    with pytest.raises(InvalidArgument, match="the linux daemon does not support signal 99"):
        deliverable("99")
