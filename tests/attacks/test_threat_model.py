"""docs/threat-model.md names every attack, and nothing that is not there."""

import ast
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
DOCUMENT = os.path.join(os.path.dirname(os.path.dirname(HERE)), "docs", "threat-model.md")


def attacks() -> dict[str, str]:
    """Name to docstring of the tests of this folder."""
    found = {}
    for name in os.listdir(HERE):
        if name.startswith("test_") and name != os.path.basename(__file__):
            with open(f"{HERE}/{name}") as file:
                functions = [node for node in ast.parse(file.read()).body if isinstance(node, ast.FunctionDef)]
            found |= {f.name: ast.get_docstring(f) or "" for f in functions if f.name.startswith("test_")}
    return found


def test_the_threat_model_lists_the_attacks() -> None:
    """A row for each attack; no row without one."""
    with open(DOCUMENT) as file:
        named = set(re.findall(r"`(test_\w+)`", file.read()))
    files = {os.path.splitext(name)[0] for name in os.listdir(HERE)}
    assert sorted(set(attacks()) - named) == []
    assert sorted(named - set(attacks()) - files) == []


def test_each_attack_says_what_it_tries() -> None:
    """The docstring of each test is the attack in words."""
    assert [name for name, text in attacks().items() if len(text) < 30] == []
