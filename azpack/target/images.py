"""The images that wheels are built in, where nobody names another."""

from __future__ import annotations

import json
from pathlib import Path


def default_image(glibc: str) -> str:
    """The manylinux image with the newest glibc that a target with this one still runs wheels of.

    The facts and their source are in images.json.
    """
    rows = json.loads(Path(__file__).with_name("images.json").read_bytes())["images"]
    fitting = [row for row in rows if _numbers(row["glibc"]) <= _numbers(glibc)]
    return str(max(fitting, key=lambda row: _numbers(row["glibc"]))["name"])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
