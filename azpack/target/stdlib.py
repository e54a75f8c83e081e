"""The standard library of each Python: the names of its top-level modules."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path


@lru_cache
def stdlib_modules(python: str) -> frozenset[str]:
    """The top-level modules of Python "3.11"; of all versions known where this one is not.

    The table `stdlib.json` names its sources.
    """
    table = json.loads(Path(__file__).with_name("stdlib.json").read_bytes())
    also: dict[str, list[str]] = table["also"]
    if python not in also:
        return frozenset(table["every"]).union(*also.values())
    return frozenset([*table["every"], *also[python]])
