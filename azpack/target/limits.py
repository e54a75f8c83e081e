"""How large a package may be.

Source: the pages on Azure's limits for zip deployment and for the Consumption plan's storage.
"""

from __future__ import annotations

from typing import NamedTuple

LARGEST_PACKAGE = 1 << 30
CONSUMPTION_ROOM = 500 << 20


class SizeLimit(NamedTuple):
    """The most bytes, and how Azure's pages write that."""

    size: int
    text: str


def size_limits(plan: str) -> tuple[SizeLimit, SizeLimit | None]:
    """The limit of a zip on a plan, and that of what it holds, unpacked, if there is one."""
    if plan == "consumption":
        room = SizeLimit(CONSUMPTION_ROOM, "500 MB")
        return room, room
    return SizeLimit(LARGEST_PACKAGE, "1 GB"), None
