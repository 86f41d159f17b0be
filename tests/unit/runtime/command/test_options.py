import pytest

from sampan.runtime.command.options import HelpWanted, Options, UsageError, number, parse, switch, text, texts

FLAGS = (
    switch("detach d", "go on in the background"),
    switch("tty t", "make a terminal"),
    text("bundle b", "the bundle", "DIR", "."),
    number("preserve-fds", "descriptors", default=0),
    texts("env e", "variables", "NAME=VALUE"),
)


def read(words: str, *, in_order: bool = False) -> Options:
    return parse(FLAGS, words.split(), in_order=in_order)


@pytest.mark.parametrize(
    "words", ["--bundle /x id", "--bundle=/x id", "-bundle /x id", "-b /x id", "-b=/x id", "-b/x id"]
)
def test_a_value_may_be_written_in_many_ways(words: str) -> None:
    options = read(words)
    assert options["bundle"] == "/x"
    assert options.arguments == ["id"]


def test_what_was_not_given_has_its_default() -> None:
    options = read("id")
    assert (options["bundle"], options["detach"], options["preserve-fds"], list(options["env"])) == (".", False, 0, [])
    assert not options.given("bundle")
    assert read("-b .").given("bundle")


@pytest.mark.parametrize(
    ("word", "value"), [("--detach", True), ("-d", True), ("--detach=false", False), ("-d=1", True)]
)
def test_a_switch_is_given_or_spelt_out(word: str, value: bool) -> None:
    assert read(f"{word} id")["detach"] is value


def test_short_switches_may_share_a_dash() -> None:
    options = read("-td id")
    assert options["tty"] and options["detach"] and options.arguments == ["id"]
    options = read("-dbx id")
    assert options["detach"] and options["bundle"] == "x"


def test_repeated_flags_collect_or_replace() -> None:
    options = read("-e A=1 --env B=2 -b x -b y")
    assert options["env"] == ["A=1", "B=2"]
    assert options["bundle"] == "y"


def test_numbers_are_numbers() -> None:
    assert read("--preserve-fds 3")["preserve-fds"] == 3
    assert read("--preserve-fds 010")["preserve-fds"] == 10
    assert read("--preserve-fds -1")["preserve-fds"] == -1
    with pytest.raises(UsageError, match='invalid value "x" for flag -preserve-fds'):
        read("--preserve-fds x")


def test_flags_may_follow_arguments() -> None:
    options = read("id -d KILL --bundle y")
    assert options.arguments == ["id", "KILL"]
    assert options["detach"] and options["bundle"] == "y"


def test_an_unknown_flag_behind_an_argument_is_an_argument() -> None:
    assert read("id -9").arguments == ["id", "-9"]


def test_in_order_the_rest_belongs_to_the_first_argument() -> None:
    options = read("-d id ls -d --bundle=x -- y", in_order=True)
    assert options["detach"] and options["bundle"] == "."
    assert options.arguments == ["id", "ls", "-d", "--bundle=x", "--", "y"]


def test_two_dashes_end_the_flags() -> None:
    assert read("-d -- -b id").arguments == ["-b", "id"]
    assert read("-").arguments == ["-"]


@pytest.mark.parametrize("word", ["--help", "-h", "-help"])
def test_help_is_asked_for(word: str) -> None:
    with pytest.raises(HelpWanted):
        read(word)
    with pytest.raises(HelpWanted):
        read(f"id {word}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--nope", "flag provided but not defined: -nope"),
        ("-x", "flag provided but not defined: -x"),
        ("--bundle", "flag needs an argument: -bundle"),
        ("--detach=maybe", 'invalid boolean value "maybe" for -detach'),
    ],
)
def test_wrong_words_are_told_as_go_does(words: str, message: str) -> None:
    with pytest.raises(UsageError) as failure:
        read(words)
    assert message in str(failure.value)
