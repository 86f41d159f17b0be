import pytest

from sampan.cli.template.lexer import split, tokenize
from sampan.errors import InvalidArgument


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("", [("text", "")]),
        ("a{{b}}c", [("text", "a"), ("action", "b"), ("text", "c")]),
        ("a {{- b -}} c", [("text", "a"), ("action", "b"), ("text", "c")]),
        ("a {{-3}} c", [("text", "a "), ("action", "-3"), ("text", " c")]),
        ("a{{/* no }} */}}c", [("text", "a"), ("text", "c")]),
        ('{{"}}"}}', [("text", ""), ("action", '"}}"'), ("text", "")]),
        ("{{`\\`}}", [("text", ""), ("action", "`\\`"), ("text", "")]),
    ],
)
def test_a_template_is_cut_into_text_and_actions(source: str, parts: list[tuple[str, str]]) -> None:
    assert split(source) == parts


@pytest.mark.parametrize(
    ("source", "message"),
    [("{{.A", "unclosed action"), ('{{"a}}', "unterminated quoted string"), ("{{/* a }}", "unclosed comment")],
)
def test_what_is_not_closed_is_told(source: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        split(source)
    assert str(caught.value) == f"template: :1: {message}"


@pytest.mark.parametrize(
    ("action", "tokens"),
    [
        (".", [("field", ())]),
        (".A.B", [("field", ("A", "B"))]),
        ("$x.A", [("variable", ("$x", ("A",)))]),
        ("$", [("variable", ("$", ()))]),
        ('json "a\\n\\u00e9\\x41"', [("name", "json"), ("string", "a\né A".replace(" ", ""))]),
        ("`a\\n`", [("string", "a\\n")]),
        ("'a'", [("number", 97)]),
        ("1 -2 0x10 1.5", [("number", 1), ("number", -2), ("number", 16), ("number", 1.5)]),
        ("(.A).B", [("op", "("), ("field", ("A",)), ("op", ")"), ("chain", ("B",))]),
        ("$x := .A | len", [("variable", ("$x", ())), ("op", ":="), ("field", ("A",)), ("op", "|"), ("name", "len")]),
    ],
)
def test_an_action_is_cut_into_tokens(action: str, tokens: list[object]) -> None:
    assert tokenize(action) == tokens


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("%", 'unexpected "%" in command'),
        ("\x01", "unexpected unrecognized character in action: U+0001 in command"),
        (".A.", "unexpected <.> in operand"),
        ("1z", 'bad number syntax: "1z"'),
        ('"a', "unterminated quoted string"),
    ],
)
def test_what_is_no_token_is_told(action: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        tokenize(action)
    assert str(caught.value) == f"template: :1: {message}"
