"""Copies of the function apps in fixtures/apps, for tests to build from and to change."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

__all__ = ["APPS", "LARGE_FILE", "copy_app", "copy_monorepo"]

_FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
APPS = _FIXTURES / "apps"
# What running or building the app in the checkout may have left there is not part of it.
_LEFTOVERS = shutil.ignore_patterns("__pycache__", "dist")

LARGE_FILE = "models/large.bin"
_HALF_OF_LARGE_FILE = 10 * 1024 * 1024


def copy_app(name: str, to: Path) -> Path:
    """Copy the app into the folder `to`, links and modes as they are; return the copy, `to/name`.

    `awkward-tree` also gets its file of 20 MiB, the same bytes each time: half of them can't be
    compressed, half are zeros.
    """
    copy = shutil.copytree(APPS / name, to / name, symlinks=True, ignore=_LEFTOVERS)
    if name == "awkward-tree":
        large_file = copy / LARGE_FILE
        large_file.parent.mkdir()
        noise = hashlib.shake_128(b"awkward-tree").digest(_HALF_OF_LARGE_FILE)
        large_file.write_bytes(noise + bytes(_HALF_OF_LARGE_FILE))
    return copy


def copy_monorepo(to: Path) -> Path:
    """Copy the repository with several apps and what they share into `to`; return the copy."""
    return shutil.copytree(_FIXTURES / "monorepo", to / "monorepo", ignore=_LEFTOVERS)
