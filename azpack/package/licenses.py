"""The licences that a distribution declares in its metadata."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CLASSIFIER = "License :: "
# Of one word and its versions: what follows is a licence's name or SPDX identifier, not its text.
_LONGEST_NAME = 100


def declared_licenses(fields: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """SPDX expressions or identifiers where the metadata have such, else names.

    `fields` are those of METADATA by their names in lower case. License-Expression counts first
    (PEP 639), then classifiers that stand for one SPDX identifier each (its appendix), then what
    the field License says in one line, then the names of classifiers.
    """
    if expression := _line(fields, "license-expression"):
        return (expression,)
    classifiers = [text for text in fields.get("classifier", ()) if text.startswith(_CLASSIFIER)]
    known = _spdx_of_classifiers()
    if classifiers and all(text in known for text in classifiers):
        return tuple(dict.fromkeys(known[text] for text in classifiers))
    if name := _line(fields, "license"):
        return (name,)
    names = (text.split(" :: ")[-1] for text in classifiers)
    return tuple(dict.fromkeys(name for name in names if name != "OSI Approved"))


def _line(fields: Mapping[str, Sequence[str]], field: str) -> str:
    """The field's first line, cut where it is the text of a licence."""
    text = re.sub(r"\s+", " ", next(iter(fields.get(field, ())), "")).strip()
    return "" if text.upper() == "UNKNOWN" else text[:_LONGEST_NAME]


def _spdx_of_classifiers() -> dict[str, str]:
    table: dict[str, str] = json.loads(Path(__file__).with_name("classifiers.json").read_bytes())
    return table
