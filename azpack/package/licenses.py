"""The licences that a distribution declares in its metadata."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The fields of METADATA that tell of licences.
LICENSE_FIELDS = ("classifier", "license", "license-expression")

_CLASSIFIER = "License :: "
# A text's first line is often its name, but not where it is longer, a rule, or says whose it is.
_NAME = re.compile(r"(?!.*copyright)(?=.*\w).{1,100}", re.IGNORECASE)


def declared_licenses(fields: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """SPDX expressions or identifiers where the metadata have such, else names.

    `fields` are those of METADATA by their names in lower case. License-Expression counts first
    (PEP 639), then classifiers that stand for one SPDX identifier each (its appendix), then the
    field License, or of a whole text there the first line if that can be a name, then the names
    of classifiers.
    """
    if any(expressions := fields.get("license-expression", ())):
        return (expressions[0],)
    classifiers = [text for text in fields.get("classifier", ()) if text.startswith(_CLASSIFIER)]
    known = _spdx_of_classifiers()
    if classifiers and all(text in known for text in classifiers):
        return tuple(dict.fromkeys(known[text] for text in classifiers))
    if name := _name(fields.get("license", ())):
        return (name,)
    names = (text.split(" :: ")[-1] for text in classifiers)
    return tuple(dict.fromkeys(name for name in names if name != "OSI Approved"))


def _name(lines: Sequence[str]) -> str:
    """The first of these lines, where it can be a name."""
    text = re.sub(r"\s+", " ", next(iter(lines), "")).strip()
    return text if text.upper() != "UNKNOWN" and _NAME.fullmatch(text) else ""


def _spdx_of_classifiers() -> dict[str, str]:
    table: dict[str, str] = json.loads(Path(__file__).with_name("classifiers.json").read_bytes())
    return table
