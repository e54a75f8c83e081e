"""What each hosting plan needs to be told so that it runs a package."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """App settings to set and to remove, and the command that publishes the package."""

    settings: Mapping[str, str]
    unset: tuple[str, ...]
    command: str


def find_publishing(plan: str, *, package: str) -> Publishing:
    """How a package with its dependencies, in the file `package`, gets onto a plan.

    The facts and their sources are in plans.json.
    """
    table = json.loads(Path(__file__).with_name("plans.json").read_bytes())
    row = table["plans"][plan]["local"]
    return Publishing(
        settings=row["set"],
        unset=tuple(row["unset"]),
        command=row["publish"].format(package=shlex.quote(package)),
    )
