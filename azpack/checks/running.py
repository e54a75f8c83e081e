"""All rules, run over a project or a package."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from azpack.checks import (
    app_files,
    dependencies,
    host_json,
    ignore_readers,
    package_code,
    package_distributions,
    package_files,
    secrets_found,
    support,
)
from azpack.checks.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from azpack.app.tree import Tree
    from azpack.checks.rules import Check, Subject
    from azpack.findings import Finding

__all__ = ["FAMILIES", "OF_DISTRIBUTIONS", "check_tree", "in_order"]

FAMILIES: tuple[Check, ...] = (
    host_json.check,
    app_files.check,
    ignore_readers.check,
    support.check,
    secrets_found.check,
    dependencies.check,
    package_files.check,
    package_code.check,
    package_distributions.check,
)
# Those that look at nothing but the distributions in a package.
OF_DISTRIBUTIONS: tuple[Check, ...] = (package_distributions.check,)

_ALL = Selection()
_COMMENT = re.compile(r"#\s*azpack:\s*ignore\[([A-Za-z0-9,\s]*)\]")


def check_tree(
    subject: Subject, selection: Selection = _ALL, families: Sequence[Check] = FAMILIES
) -> tuple[Finding, ...]:
    """What the rules have to say of a subject, in order.

    Left out is what `selection` does not choose,
    and what a comment in a Python file ignores: `# azpack: ignore[AZP106]` on the line, or, alone
    on a line before the file's first statement, for the whole file.
    """
    findings = list(subject.app.findings)
    for check in families:
        findings += check(subject)
    return in_order(_without_ignored(selection.filter(findings), subject.tree))


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings by path, line and code; first those of no file in particular."""
    return tuple(sorted(findings, key=_place))


def _place(finding: Finding) -> tuple[str, int, str, str]:
    return (finding.path or "", finding.line or 0, finding.code, finding.message)


def _without_ignored(findings: Iterable[Finding], tree: Tree) -> list[Finding]:
    comments: dict[str, dict[int, tuple[str, ...]]] = {}
    left = []
    for finding in findings:
        path = finding.path or ""
        if path.endswith(".py") and path not in comments:
            comments[path] = _ignored_codes(tree, path)
        ignored = comments.get(path, {})
        codes = ignored.get(0, ()) + ignored.get(finding.line or 0, ())
        if not finding.code.startswith(codes):
            left.append(finding)
    return left


def _ignored_codes(tree: Tree, path: str) -> dict[int, tuple[str, ...]]:
    """The codes that comments of a file ignore, by line; those of the whole file by 0."""
    try:
        text = tree.read(path).decode("utf-8", "replace")
    except KeyError:  # a finding of a file that is left out, or missing
        return {}
    found: dict[int, tuple[str, ...]] = {}
    in_head = True
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip().removeprefix("\ufeff")
        in_head = in_head and (not bare or bare.startswith("#"))
        if match := _COMMENT.search(line):
            codes = tuple(filter(None, (code.strip().upper() for code in match[1].split(","))))
            place = 0 if in_head else number
            found[place] = found.get(place, ()) + codes
    return found
