"""One JSON document in a --format: json, or a Go template. The usual form is the command's own.

Errors      InvalidArgument: "template parsing error: ..." as docker says it.
"""

from __future__ import annotations

from sampan.client import jsontext
from sampan.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.cli.template.evaluate import Template

FORMAT_HELP = (
    "Format output using a custom template:\n"
    "'json':             Print in JSON format\n"
    "'TEMPLATE':         Print output using the given Go template.\n"
    "Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates"
)


def parse_template(form: str) -> Template:
    from sampan.cli.template.evaluate import Template

    try:
        return Template(form)
    except InvalidArgument as cause:
        raise InvalidArgument(f"template parsing error: {cause}") from cause


def render(template: Template, value: Any) -> str:
    try:
        return template.render(value)
    except InvalidArgument as cause:
        raise InvalidArgument(f"template parsing error: {cause}") from cause


def format_document(value: Any, form: str) -> str:
    """A line of JSON, or what the template makes of `value`."""
    if form == "json":
        return jsontext.dumps(value)
    return render(parse_template(form), value)
