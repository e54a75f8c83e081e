"""The table of runtimes: which Python, base image and glibc Azure runs, and until when."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

PLANS = ("flex", "consumption", "premium", "dedicated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A row of the table `runtimes.json`, which names its sources.

    `full_version` is the patch release that markers are evaluated for; `end_of_support` is an
    ISO date; `packaged` says whether azpack makes packages for it, `consumption` whether the Linux
    Consumption plan runs it.
    """

    functions: str
    python: str
    full_version: str
    image: str
    glibc: str
    end_of_support: str
    packaged: bool
    consumption: bool = True
    note: str = ""


def load_symbol_versions() -> dict[str, dict[str, str]]:
    """Read what versions of symbols the images' libraries have: the newest, by glibc and family."""
    table = json.loads(Path(__file__).with_name("runtimes.json").read_bytes())
    versions: dict[str, dict[str, str]] = table["symbol_versions"]
    return versions


def load_runtimes() -> tuple[Runtime, ...]:
    """Read the table, oldest first."""
    table = json.loads(Path(__file__).with_name("runtimes.json").read_bytes())
    return tuple(Runtime(**row) for row in table["runtimes"])
