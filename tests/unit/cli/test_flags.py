import pytest

from sampan.cli.flags import HelpWanted, Parsed, UsageError, parse

ROWS = (
    ("all", "a", "bool", "All"),
    ("interactive", "i", "bool", "Stdin"),
    ("tty", "t", "bool", "Terminal"),
    ("human", "H", "bool-on", "Human", "true"),
    ("publish", "p", "list", "Ports"),
    ("env", "e", "env", "Environment"),
    ("memory", "m", "bytes", "Memory"),
    ("last", "n", "int-unset", "Last", "-1"),
    ("network", "", "list", "Network"),
    ("sysctl", "", "map", "Sysctl", "map[]"),
    ("timeout", "", "int", "Timeout"),
)


def read(*words: str, stops: bool = False) -> Parsed:
    return parse(ROWS, words, stops_at_argument=stops)


def test_flags_that_are_not_given_have_their_kinds_zero() -> None:
    parsed = read()
    assert (parsed["all"], parsed["human"], parsed["publish"], parsed["last"]) == (False, True, [], -1)
    assert parsed.changed == set()


def test_shorthands_join_and_the_last_may_take_the_rest() -> None:
    parsed = read("-itp80:80")
    assert (parsed["interactive"], parsed["tty"], parsed["publish"]) == (True, True, ["80:80"])


@pytest.mark.parametrize(
    "words", [["-p80:80"], ["-p", "80:80"], ["-p=80:80"], ["--publish=80:80"], ["--publish", "80:80"]]
)
def test_a_value_is_written_in_five_ways(words: list[str]) -> None:
    assert read(*words)["publish"] == ["80:80"]


def test_a_boolean_takes_a_value_only_after_an_equals_sign() -> None:
    parsed = read("--human=false", "--all", "false")
    assert (parsed["human"], parsed["all"], parsed.arguments) == (False, True, ["false"])
    assert read("-i=0")["interactive"] is False


def test_a_value_may_look_like_a_flag() -> None:
    assert read("-p", "--all")["publish"] == ["--all"]


def test_repeated_flags_add_up_or_win_last() -> None:
    parsed = read("-p", "1", "-p", "2", "-m", "1k", "-m", "2k", "--sysctl", "a=1", "--sysctl", "b=2")
    assert (parsed["publish"], parsed["memory"], parsed["sysctl"]) == (["1", "2"], 2048, {"a": "1", "b": "2"})


def test_flags_may_follow_arguments_unless_another_program_has_them() -> None:
    assert read("x", "-a", "y").arguments == ["x", "y"]
    parsed = read("-i", "image", "-a", "--foo", stops=True)
    assert (parsed["all"], parsed.arguments) == (False, ["image", "-a", "--foo"])


def test_two_dashes_end_the_flags() -> None:
    parsed = read("-a", "--", "-i", "x")
    assert (parsed["all"], parsed["interactive"], parsed.arguments) == (True, False, ["-i", "x"])


def test_a_lone_dash_is_an_argument() -> None:
    assert read("-").arguments == ["-"]


def test_old_spellings_are_taken() -> None:
    assert read("--net", "x")["network"] == ["x"]
    assert read("--time", "3")["timeout"] == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--foo"], "unknown flag: --foo"),
        (["--al"], "unknown flag: --al"),
        (["-x"], "unknown shorthand flag: 'x' in -x"),
        (["-itx"], "unknown shorthand flag: 'x' in -x"),
        (["-xit"], "unknown shorthand flag: 'x' in -xit"),
        (["--memory"], "flag needs an argument: --memory"),
        (["-m"], "flag needs an argument: 'm' in -m"),
        (["---a"], "bad flag syntax: ---a"),
        (["--=a"], "bad flag syntax: --=a"),
        (
            ["--all=maybe"],
            'invalid argument "maybe" for "-a, --all" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
        (["-m", "x"], 'invalid argument "x" for "-m, --memory" flag: invalid size: \'x\''),
        (["--timeout=x"], 'invalid argument "x" for "--timeout" flag: strconv.ParseInt: parsing "x": invalid syntax'),
    ],
)
def test_mistakes_are_told_in_pflags_words(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(*words)
    assert str(caught.value) == message


@pytest.mark.parametrize(("word", "is_shorthand"), [("--help", False), ("-h", True)])
def test_help_is_asked_for(word: str, is_shorthand: bool) -> None:
    with pytest.raises(HelpWanted) as caught:
        read(word)
    assert caught.value.is_shorthand == is_shorthand
