"""All rules, run over a project or a package."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from azpack.app.modules import source_of
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
    unread,
)
from azpack.checks.rules import load_rules
from azpack.checks.selection import Selection
from azpack.findings import Finding
from azpack.package.oddities import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from azpack.app.tree import Tree
    from azpack.checks.rules import Check, Subject
    from azpack.findings import Severity

__all__ = ["FAMILIES", "check_tree"]

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
    unread.check,
)

_ALL = Selection()
_LONGEST_MESSAGE = 800
_MOST_OF_A_RULE = 1000
_COMMENT = re.compile(r"#\s*azpack:\s*ignore\[([A-Za-z0-9,\s]*)\]")


def check_tree(subject: Subject, selection: Selection = _ALL) -> tuple[Finding, ...]:
    """What the rules have to say of a subject, sorted by path, line and code.

    What is of no file in particular comes first. Left out is what `selection` does not choose,
    and what a comment in a Python file ignores: `# azpack: ignore[AZP106]` on the line, or, alone
    on a line before the file's first statement, for the whole file.
    """
    findings = list(subject.app.findings)
    for check in FAMILIES:
        findings += check(subject)
    chosen = _without_ignored(selection.filter(findings), subject.tree)
    return tuple(_listed(sorted(map(_printable, chosen), key=_place)))


def _listed(findings: Iterable[Finding]) -> Iterator[Finding]:
    """As many of each rule as anybody reads, and the number of the others."""
    counts: Counter[tuple[str, Severity]] = Counter()
    for finding in findings:
        counts[finding.code, finding.severity] += 1
        if counts[finding.code, finding.severity] <= _MOST_OF_A_RULE:
            yield finding
    for (code, severity), count in counts.items():
        if (more := count - _MOST_OF_A_RULE) > 0:
            yield Finding(
                code=code, severity=severity, message=f"{more:,} more of these are not listed"
            )


def _printable(finding: Finding) -> Finding:
    """The same, where it quotes what no terminal should see, or no reader would read."""
    message = finding.message
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[: _LONGEST_MESSAGE // 2]} … {message[-_LONGEST_MESSAGE // 2 :]}"
    if not message.isprintable():
        message = printable(message)
    return finding if message is finding.message else replace(finding, message=message)


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
        source = source_of(tree, path)
    except KeyError:  # a finding of a file that is left out, or missing
        return {}
    if b"azpack" not in source:
        return {}
    text = source.decode("utf-8", "replace")
    known = {rule[:end] for rule in load_rules() for end in range(1, len(rule) + 1)}
    found: dict[int, set[str]] = {}
    in_head = True
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip().removeprefix("\ufeff")
        in_head = in_head and (not bare or bare.startswith("#"))
        if match := _COMMENT.search(line):
            codes = {code.strip().upper() for code in match[1].split(",")}
            found.setdefault(0 if in_head else number, set()).update(codes & known)
    return {place: tuple(codes) for place, codes in found.items()}
