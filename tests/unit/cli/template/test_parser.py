import pytest

from sampan.cli.template.parser import parse
from sampan.errors import InvalidArgument

A = ([], False, [[("field", ("A",))]])


@pytest.mark.parametrize(
    ("source", "nodes"),
    [
        ("a{{.A}}", [("text", "a"), ("print", A)]),
        ("{{if .A}}x{{end}}", [("if", A, [("text", "x")], [])]),
        ("{{with .A}}x{{else}}y{{end}}", [("with", A, [("text", "x")], [("text", "y")])]),
        ("{{if .A}}{{else if .A}}y{{end}}", [("if", A, [], [("if", A, [("text", "y")], [])])]),
        ("{{range .A}}{{break}}{{continue}}{{end}}", [("range", A, [("break",), ("continue",)], [])]),
        ("{{$x := .A}}", [("print", (["$x"], True, A[2]))]),
        ("{{$x = .A}}", [("print", (["$x"], False, A[2]))]),
        ("{{range $k, $v := .A}}{{end}}", [("range", (["$k", "$v"], True, A[2]), [], [])]),
        ('{{define "t"}}x{{end}}{{template "t" .A}}', [("define", "t", [("text", "x")]), ("template", "t", A)]),
        ('{{block "t" .A}}x{{end}}', [("define", "t", [("text", "x")]), ("template", "t", A)]),
        ("{{(.A).B}}", [("print", ([], False, [[("chain", (("pipe", A), ("B",)))]]))]),
        ("{{.A | len}}", [("print", ([], False, [[("field", ("A",))], [("name", "len")]]))]),
    ],
)
def test_a_template_is_a_tree(source: str, nodes: list[object]) -> None:
    assert parse(source) == nodes


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{end}}", "unexpected {{end}}"),
        ("{{if .A}}", "unexpected EOF"),
        ("{{if .A}}{{else}}", "unexpected EOF"),
        ("{{if}}{{end}}", "missing value for if"),
        ("{{}}", "missing value for command"),
        ("{{| len}}", "missing value for command"),
        ("{{.A |}}", "missing value for command"),
        ("{{nosuch .A}}", 'function "nosuch" not defined'),
        ("{{(.A}}", "unclosed left paren"),
        ("{{.A)}}", 'unexpected ")" in command'),
        ("{{$a, $b := .A}}", "too many declarations in command"),
        ("{{template .A}}", "unexpected token in template clause"),
    ],
)
def test_what_is_no_template_is_refused_in_gos_words(source: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse(source)
    assert str(caught.value) == f"template: :1: {message}"
