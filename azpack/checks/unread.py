"""What of an app's code was not looked into, since it is more than apps have.

It runs last, when the others have asked for what they need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from azpack.app.modules import unread_modules
from azpack.checks.rules import make_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.checks.rules import Subject
    from azpack.findings import Finding


def check(subject: Subject) -> Iterator[Finding]:
    """Name the modules about which nothing, or not all, is known; one for each reason."""
    reasons: dict[str, list[str]] = {}
    for path, why in unread_modules(subject.tree).items():
        reasons.setdefault(why, []).append(path)
    for why, paths in reasons.items():
        more = f" (and {len(paths) - 1:,} more modules)" if len(paths) > 1 else ""
        yield make_finding(
            "AZP301",
            f"it is not checked{more}: {why}",
            path=paths[0],
            hint="keep data out of modules, and leave out what the app does not import",
            severity="info",
        )
