from __future__ import annotations

import json
import re

import pytest

from azpack.app.config import SETTINGS
from tests.unit.cli.test_parser import GENERAL, OPTIONS
from tools.generated_pages import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_in_step_with_what_they_are_made_from(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run 'make docs'"


def sections(page: str) -> dict[str, set[str]]:
    """What the first cells of the tables name, by the section that they are in."""
    found: dict[str, set[str]] = {}
    for section in page.split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        cells = re.findall(r"^\| `(.+?)` \|", text, re.MULTILINE)
        found[title] = {word for cell in cells for word in re.findall(r"[\w.\[\]-]+", cell)}
    return found


def test_the_command_line_is_that_of_the_contract() -> None:
    found = sections((DOCS / "cli.md").read_text(encoding="utf-8"))
    for command, options in OPTIONS.items():
        shown = {word for word in found[f"azpack {command}"] if word.startswith("-")}
        assert shown == options
    assert {word for word in found["Options of all commands"] if word.startswith("-")} == GENERAL
    assert found["Settings"] == set(SETTINGS)


def test_each_field_of_the_manifest_has_a_row() -> None:
    schema = json.loads((DOCS / "manifest.schema.json").read_text(encoding="utf-8"))
    page = (DOCS / "manifest.md").read_text(encoding="utf-8")
    for name in schema["required"]:
        assert f"| `{name}` |" in page
    for name in schema["properties"]["distributions"]["items"]["required"]:
        assert f"| `distributions[].{name}` |" in page
