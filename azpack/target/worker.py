"""The Python worker: the modules that it brings, and those that it needs to start."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

# Where the app's folder stands before the standard library on sys.path.
APP_FIRST_PLANS = ("premium", "dedicated")
_ISOLATED_FROM = (3, 13)


class Shadowed(NamedTuple):
    """The line of versions, "4.25", that the worker has; below `stopped_below` it can't start."""

    line: str
    stopped_below: str | None


@cache
def _table() -> dict[str, list[str]]:
    table: dict[str, list[str]] = json.loads(Path(__file__).with_name("worker.json").read_bytes())
    return table


def worker_modules() -> frozenset[str]:
    """The top-level modules that the worker brings, beside `azure`, which many share."""
    return frozenset(_table()["modules"])


def startup_modules() -> frozenset[str]:
    """The top-level modules, also of the standard library, without which it does not start."""
    table = _table()
    return frozenset([*table["startup_modules"], *table["startup_stdlib"]])


def shadowed_versions(version: tuple[int, int]) -> Mapping[str, Shadowed]:
    """The distributions of which a copy in the package takes the place of the worker's own.

    By their names, for the target's Python; from 3.13 the worker keeps its own.
    """
    if version >= _ISOLATED_FROM:
        return {}
    table = json.loads(Path(__file__).with_name("worker.json").read_bytes())
    return {
        name: Shadowed(line, table["stopped_below"].get(name))
        for name, line in table["shadowed"].items()
    }
