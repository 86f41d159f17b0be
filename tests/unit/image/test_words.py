import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.errors import InvalidArgument
from sampan.image.words import expand, split_words

VARIABLES = {"a": "1", "empty": "", "path": "/x y", "_n1": "u"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b\tc", ["a", "b", "c"]),
        ("  ", []),
        ('a="b c" d', ['a="b c"', "d"]),
        ("a='b \" c' d", ["a='b \" c'", "d"]),
        ("a=b\\ c d", ["a=b\\ c", "d"]),
        ('a="b\\" c" d', ['a="b\\" c"', "d"]),
        ("'a\\' b", ["'a\\'", "b"]),
        ('"never closed x', ['"never closed x']),
    ],
)
def test_words_end_at_blanks_outside_quotes(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize(
    ("word", "expanded"),
    [
        ("$a", "1"),
        ("${a}b", "1b"),
        ("$ab", ""),
        ("$_n1-x", "u-x"),
        ("$", "$"),
        ("$.", "$."),
        ("\\$a", "$a"),
        ("'$a'", "$a"),
        ('"$a"', "1"),
        ('"\\$a \\n \\\\ \\""', '$a \\n \\ "'),
        ("x\\", "x"),
        ("$path", "/x y"),
        ("${unset:-d}${empty:-d}${empty-d}${a:-d}", "dd1"),
        ("${unset:+s}${empty:+s}${empty+s}${a:+s}", "ss"),
        ("${unset:-${a}}", "1"),
        ("${unset:-'}'}", "}"),
        ("${a:?no}", "1"),
    ],
)
def test_quotes_go_and_variables_are_replaced(word: str, expanded: str) -> None:
    assert expand(word, VARIABLES) == expanded


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("'x", 'failed to process "\'x": unexpected end of statement while looking for matching single-quote'),
        ('"x', 'failed to process "\\"x": unexpected end of statement while looking for matching double-quote'),
        ("${x", 'failed to process "${x": unsupported modifier (\ufffd) in substitution'),
        ("${x:?oops}", 'failed to process "${x:?oops}": x: oops'),
    ],
)
def test_a_word_that_makes_no_sense_is_refused_in_dockers_words(word: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        expand(word, VARIABLES)
    assert str(refused.value) == message


@given(st.text())
def test_any_word_expands_or_is_refused(word: str) -> None:
    try:
        expand(word, VARIABLES)
    except InvalidArgument:
        pass


@given(st.text(st.characters(exclude_characters="'")))
def test_single_quotes_keep_everything(text: str) -> None:
    assert expand(f"'{text}'", VARIABLES) == text
