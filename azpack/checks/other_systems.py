"""The distributions that there are for Windows or macOS alone."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path


def is_of_another_system(name: str) -> bool:
    """Whether a distribution, by its canonical name, can't be installed on Linux."""
    names, prefixes = _table()
    return name in names or name.startswith(prefixes)


@cache
def _table() -> tuple[frozenset[str], tuple[str, ...]]:
    table = json.loads(Path(__file__).with_name("other_systems.json").read_bytes())
    return frozenset(table["names"]), tuple(table["prefixes"])
