"""AZP112: whether Azure supports the Python version, and for how long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from azpack.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.checks.rules import Subject
    from azpack.target.target import Target

_WARNED_BEFORE_END = 183 * 24 * 3600.0


def support_findings(target: Target) -> tuple[Finding, ...]:
    """AZP112, where the Python version's support has ended or ends within six months."""
    # ISO dates compare as text; the module datetime would cost more than all the rest of this.
    now = time.time()
    today, soon = (
        time.strftime("%Y-%m-%d", time.gmtime(moment)) for moment in (now, now + _WARNED_BEFORE_END)
    )
    end = target.end_of_support
    if soon < end:
        return ()
    when = f"ended on {end}" if end <= today else f"ends on {end}"
    return (
        Finding(
            code="AZP112",
            severity="warning",
            message=f"support for Python {target.python} on Azure Functions {when}",
            hint="move the app to a newer Python; 'azpack runtimes' lists them",
        ),
    )


def check(subject: Subject) -> Iterator[Finding]:
    """Look at the target."""
    yield from support_findings(subject.target)
