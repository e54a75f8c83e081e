"""Findings and rules as people read them: by file, in 80 columns."""

from __future__ import annotations

import textwrap
from itertools import groupby
from typing import TYPE_CHECKING

from azpack.package.oddities import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from azpack.checks.rules import Rule
    from azpack.findings import Finding, Severity

_COLUMNS = 80
_COUNTED = (("error", "error"), ("warning", "warning"), ("info", "note"))


def finding_lines(
    findings: Sequence[Finding], paint: Callable[[Severity], str], *, whole: str
) -> Iterator[str]:
    """The findings, which are sorted by path; `paint` gives a severity its colour.

    `whole` is the title for what is of no file in particular.
    """
    for path, group in groupby(findings, key=lambda finding: finding.path):
        yield printable(path or whole)
        for finding in group:
            place = f"{finding.line}: " if finding.line else ""
            lead = f"{finding.severity} {finding.code}: "
            first, *rest = _folded(f"{place}{lead}{finding.message}", "  ", "    ")
            # Painted when it is folded: colours take no room.
            yield first.replace(lead, f"{paint(finding.severity)} {finding.code}: ", 1)
            yield from rest
            if finding.hint:
                yield from _folded(f"hint: {finding.hint}", "    ", "    ")
        yield ""


def summary(findings: Sequence[Finding], where: str) -> str:
    """How many there are of each severity; `where` is what was looked at."""
    counts = []
    for severity, noun in _COUNTED:
        count = sum(finding.severity == severity for finding in findings)
        if count:
            counts.append(f"{count} {noun if count == 1 else f'{noun}s'}")
    return f"{', '.join(counts) or 'nothing found'} in {where}"


def rule_lines(rule: Rule) -> Iterator[str]:
    """The text of a rule."""
    otherwise = f"; {rule.otherwise}" if rule.otherwise else ""
    yield from _folded(f"{rule.code} ({rule.severity}{otherwise}): {rule.title}", "", "")
    for text in (rule.text, rule.mend):
        yield ""
        yield from _folded(text, "", "")


def _folded(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        printable(text),
        _COLUMNS,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
