"""All rules, run over a project or a package."""

from __future__ import annotations

import io
import re
from bisect import bisect_left, bisect_right
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
from azpack.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from azpack.app.tree import Tree
    from azpack.checks.rules import Check, Subject
    from azpack.findings import Severity

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
    unread.check,
)
# Those that look at nothing but the distributions in a package.
OF_DISTRIBUTIONS: tuple[Check, ...] = (package_distributions.check,)

_ALL = Selection()
_COMMENT = re.compile(r"#\s*azpack:\s*ignore\s*\[([A-Z0-9,\s]*)\]", re.IGNORECASE)
_MARK = re.compile(rb"azpack:\s*ignore", re.IGNORECASE)
# Bytes of one file, and of all, that are read token by token, which takes a second for a megabyte.
_LARGEST_TOKENIZED = 256 << 10
_MOST_TOKENIZED = 1 << 20
_LONGEST_TOKENIZED_LINE = 2000  # Python 3.12 takes the square of that
_LONGEST_MESSAGE = 800
_MOST_OF_A_RULE = 1000


def check_tree(
    subject: Subject, selection: Selection = _ALL, families: Sequence[Check] = FAMILIES
) -> tuple[Finding, ...]:
    """What the rules have to say of a subject, in order.

    What is of no file in particular comes first. Left out is what `selection` does not choose,
    and what a comment in a Python file ignores: `# azpack: ignore[AZP106]` on the line or behind
    the statement, or, alone on a line before the file's first statement, for the whole file.
    """
    findings = list(subject.app.findings)
    for check in families:
        findings += check(subject)
    chosen = _without_ignored(selection.filter(findings), subject.tree)
    return tuple(_listed(in_order(map(_printable, chosen))))


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings by path, line and code; first those of no file in particular."""
    return tuple(sorted(findings, key=_place))


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
    # Cut in two, a URL does not tell where its password ends.
    message = redact(finding.message)
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[: _LONGEST_MESSAGE // 2]} … {message[-_LONGEST_MESSAGE // 2 :]}"
    if not message.isprintable():
        message = printable(message)
    return finding if message == finding.message else replace(finding, message=message)


def _place(finding: Finding) -> tuple[str, int, str, str]:
    return (finding.path or "", finding.line or 0, finding.code, finding.message)


def _without_ignored(findings: Iterable[Finding], tree: Tree) -> list[Finding]:
    by_path: dict[str, list[Finding]] = {}
    for finding in findings:
        by_path.setdefault(finding.path or "", []).append(finding)
    left = []
    room = _MOST_TOKENIZED
    for path, found in by_path.items():
        source = _marked_source(tree, path) if path.endswith(".py") else b""
        ignored: Mapping[int, tuple[str, ...]] = {}
        if source:
            by_tokens = len(source) <= min(_LARGEST_TOKENIZED, room) and (
                max(map(len, source.split(b"\n"))) <= _LONGEST_TOKENIZED_LINE
            )
            room -= len(source) if by_tokens else 0
            lines = {finding.line or 0 for finding in found}
            ignored = _ignored_codes(source, lines, by_tokens=by_tokens)
        for finding in found:
            codes = ignored.get(0, ()) + ignored.get(finding.line or 0, ())
            if not finding.code.startswith(codes):
                left.append(finding)
    return left


def _marked_source(tree: Tree, path: str) -> bytes:
    """The text of a module in which something is ignored; else nothing."""
    try:
        source = source_of(tree, path)
    except KeyError:  # a finding of a file that is left out, or missing
        return b""
    return source if _MARK.search(source) is not None else b""


def _ignored_codes(
    source: bytes, lines: Collection[int], *, by_tokens: bool
) -> dict[int, tuple[str, ...]]:
    """The codes that comments ignore, of these lines, by line; those of the whole file by 0."""
    known = {rule[:end] for rule in load_rules() for end in range(1, len(rule) + 1)}
    wanted = sorted(lines)
    found: dict[int, set[str]] = {}
    for comment, first, last in _comments(source.decode("utf-8-sig", "replace"), by_tokens):
        if match := _COMMENT.search(comment):
            codes = {code.strip().upper() for code in match[1].split(",")} & known
            meant = wanted[bisect_left(wanted, first) : bisect_right(wanted, last)]
            for line in meant if last else (0,):
                found.setdefault(line, set()).update(codes)
    return {line: tuple(codes) for line, codes in found.items()}


def _comments(text: str, by_tokens: bool) -> Iterator[tuple[str, int, int]]:
    """The comments of a Python file, with the first and the last line for which each is.

    Those of the whole file are for the line 0. One behind a statement of several lines is for all
    of these, where the file is read `by_tokens`. A file that can't be read as Python is taken line
    by line.
    """
    import tokenize

    try:
        if by_tokens:
            yield from _comments_of_tokens(text)
    except (SyntaxError, tokenize.TokenError):
        by_tokens = False
    if not by_tokens:
        in_head = True
        for number, line in enumerate(io.StringIO(text, newline=None), 1):
            bare = line.strip()
            in_head = in_head and (not bare or bare.startswith("#"))
            place = 0 if in_head else number
            yield line, place, place


def _comments_of_tokens(text: str) -> list[tuple[str, int, int]]:
    import tokenize

    found: list[tuple[str, int, int]] = []
    first = 0  # the line in which the statement began that is being read
    comment, in_head = "", True
    for token in tokenize.generate_tokens(io.StringIO(text, newline=None).readline):
        line = token.start[0]
        if token.type == tokenize.COMMENT:
            comment = token.string
        elif token.type in (tokenize.NEWLINE, tokenize.NL):
            ends = token.type == tokenize.NEWLINE
            if comment:
                place = 0 if in_head else line
                found.append((comment, first if ends else place, line if ends else place))
            comment, first = "", 0 if ends else first
        elif token.type not in (tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER):
            first, in_head = first or line, False
    return found
