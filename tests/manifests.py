"""Manifests against the schema that the project publishes."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

__all__ = ["check_manifest"]

_SCHEMA = Path(__file__).parent.parent / "docs/manifest.schema.json"


@cache
def _validator() -> Draft202012Validator:
    schema = json.loads(_SCHEMA.read_bytes())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def check_manifest(manifest: Any) -> None:
    """Fail unless it is as the schema has it."""
    faults = [f"{error.json_path}: {error.message}" for error in _validator().iter_errors(manifest)]
    assert not faults, "\n".join(faults)
