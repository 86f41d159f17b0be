import pytest

from sampan.cli.output.listing import Listing
from sampan.errors import InvalidArgument

LISTING = Listing(
    {"ID": "THING ID", "Name": "NAME", "Label": "LABEL"}, ("ID", "Name"), "*formatter.X", hidden=["Label"]
)
ROWS = [
    {"ID": "1", "Name": lambda: "one", "Label": lambda name: f"<{name}>"},
    {"ID": "2", "Name": "second of them", "Label": lambda name: ""},
]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("", "THING ID   NAME\n1          one\n2          second of them\n"),
        ("table", "THING ID   NAME\n1          one\n2          second of them\n"),
        ("table {{.Name}}\\t{{.ID}}", "NAME             THING ID\none              1\nsecond of them   2\n"),
        ('table {{.Label "a.b-c"}}', "b c\n<a.b-c>\n\n".replace("b c", "b c")),
        ("table {{upper .Name}}", "NAME\nONE\nSECOND OF THEM\n"),
        ("{{.ID}}\\t{{.Name}}", "1\tone\n2\tsecond of them\n"),
        ("json", '{"ID":"1","Name":"one"}\n{"ID":"2","Name":"second of them"}\n'),
        ("{{json .}}", '{"ID":"1","Name":"one"}\n{"ID":"2","Name":"second of them"}\n'),
        ("{{json .ID}}", '"1"\n"2"\n'),
    ],
)
def test_rows_are_shown_in_every_format(form: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    LISTING.print(ROWS, form)
    assert capsys.readouterr().out == text


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("{{.ID", "failed to parse template: template: :1: unclosed action"),
        (
            "{{.Foo}}",
            'failed to execute template: template: :1:2: executing "" at <.Foo>: '
            "can't evaluate field Foo in type *formatter.X",
        ),
    ],
)
def test_a_template_that_does_not_fit_is_refused_in_dockers_words(form: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        LISTING.print(ROWS, form)
    assert str(caught.value) == message
