import pytest

from sampan.cli.output.document import format_document, parse_template, render
from sampan.errors import InvalidArgument


@pytest.mark.parametrize(
    ("form", "text"), [("json", '{"A":{"B":1}}'), ("{{.A.B}}", "1"), ("{{json .A}}", '{"B":1}'), ("plain", "plain")]
)
def test_a_document_is_a_line_of_json_or_what_a_template_makes_of_it(form: str, text: str) -> None:
    assert format_document({"A": {"B": 1}}, form).replace(" ", "") == text


def test_a_wrong_template_is_told_as_docker_tells_it() -> None:
    with pytest.raises(InvalidArgument, match=r"^template parsing error: template: :1: unclosed action"):
        parse_template("{{.A")
    with pytest.raises(InvalidArgument, match=r"^template parsing error: .*error calling len"):
        render(parse_template("{{len .A}}"), {"A": 5})
