"""docs/manifest.md, made from docs/manifest.schema.json."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["manifest_page"]

_SCHEMA = Path(__file__).resolve().parent.parent / "docs" / "manifest.schema.json"
_HEAD = """\
# Manifest

`azpack build` writes `NAME.manifest.json` beside `NAME.zip`. It says what is in the package, what
it was made for, and how it is published. Its form is [manifest.schema.json](manifest.schema.json)
(JSON Schema, draft 2020-12), from which this page is made. Keys that are not here do not occur.

A dot leads into an object, `[]` into the items of a list.

| field | meaning | type |
|---|---|---|
"""


def manifest_page() -> str:
    """The page, in Markdown."""
    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    return _HEAD + "".join(f"{row}\n" for row in _rows("", schema, schema["$defs"]))


def _rows(path: str, schema: dict[str, Any], shared: dict[str, Any]) -> Iterator[str]:
    """The rows of all that is below `path`, which `schema` describes."""
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        field = _resolved(field, shared)
        yield f"| `{here}` | {_meaning(field)} | {_type(field, shared)} |"
        yield from _inside(here, field, shared)


def _inside(path: str, field: dict[str, Any], shared: dict[str, Any]) -> Iterator[str]:
    for form in _forms(field, shared):
        yield from _rows(path, form, shared)
        if "items" in form:
            item = _resolved(form["items"], shared)
            yield from _rows(f"{path}[]", item, shared)


def _resolved(field: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """The field with what its `$ref` names; what stands beside the reference comes first."""
    if "$ref" not in field:
        return field
    return {**shared[field["$ref"].rpartition("/")[2]], **field}


def _forms(field: dict[str, Any], shared: dict[str, Any]) -> list[dict[str, Any]]:
    choices = field.get("anyOf") or field.get("oneOf") or [field]
    return [_resolved(choice, shared) for choice in choices]


def _type(field: dict[str, Any], shared: dict[str, Any]) -> str:
    return " or ".join(dict.fromkeys(_name(form, shared) for form in _forms(field, shared)))


def _name(form: dict[str, Any], shared: dict[str, Any]) -> str:
    if "const" in form:
        return f"`{json.dumps(form['const'])}`"
    if "enum" in form:
        return ", ".join(f"`{value}`" for value in form["enum"])
    if form["type"] == "array" and "items" in form:
        return f"list of {_type(_resolved(form['items'], shared), shared)}"
    kinds: list[str] = form["type"] if isinstance(form["type"], list) else [form["type"]]
    words = {"array": "list", "integer": "whole number"}
    return " or ".join(words.get(kind, kind) for kind in kinds)


def _meaning(field: dict[str, Any]) -> str:
    text = re.sub(r"--[a-z-]+|\$\{NAME\}", r"`\g<0>`", str(field.get("description", "")))
    return text.replace("|", r"\|").replace("<", "&lt;")
