"""Inflating at twice the speed of zlib, where there is a wheel of isal; the interface is the same.

Most of what checking a wheel and inspecting a package cost is inflating.
"""

from __future__ import annotations

import zlib

try:
    from isal import isal_zlib as inflating
except ImportError:  # it has no wheels for some platforms
    import zlib as inflating  # type: ignore[no-redef]

__all__ = ["INFLATING_ERRORS", "inflating"]

INFLATING_ERRORS: tuple[type[Exception], ...] = (
    zlib.error,
    inflating.error,  # type: ignore[assignment]  # isal's stubs call the class an instance
)
