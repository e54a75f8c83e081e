"""AZP110: how the tools that publish function apps read .funcignore, and where they differ.

The models follow the tools' own sources: Core Tools' `GitIgnoreParser.cs`, functions-action's
`funcignore.ts` (the library node-ignore, which knows no case), vscode-azuretools'
`runWithZipStream.ts` (VS Code's `findFiles`, that is ripgrep, with all lines in one glob). azd
reads the file as git does, and so as azpack does.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azpack.app.ignore import IgnoreRules
from azpack.checks.rules import make_finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from azpack.app.collect import FileSet
    from azpack.checks.rules import Subject
    from azpack.findings import Finding

_IGNORE_FILE = ".funcignore"
_SHOWN = 3
# Of an ignored folder a few files tell as much as all of them.
_SAMPLED_FILES = 50
_WILDCARDS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tool:
    name: str
    leaves_out: Callable[[str], bool]


def check(subject: Subject) -> Iterator[Finding]:
    """Compare what the tools would publish with what azpack packs."""
    if subject.files is None:
        return
    try:
        text = (subject.files.root / _IGNORE_FILE).read_bytes()
    except OSError:  # there is none; one that can't be read stopped the collecting
        return
    packed = subject.files.included
    ignored = tuple(_ignored_files(subject.files))
    for tool in _tools(text.decode("utf-8-sig", "replace")):
        more = [path for path in ignored if not tool.leaves_out(path)]
        fewer = [path for path in packed if tool.leaves_out(path)]
        parts = []
        if more:
            parts.append(f"would publish {_listed(more)}, which it tells to leave out")
        if fewer:
            parts.append(f"would leave out {_listed(fewer)}, which it does not")
        if parts:
            yield make_finding(
                "AZP110",
                f"{tool.name} reads .funcignore otherwise: it {' and '.join(parts)}",
                path=_IGNORE_FILE,
                hint="publish what azpack builds, or write rules that all read alike: whole "
                "folders and files by their paths from the root, without / at the end",
            )


def _tools(text: str) -> tuple[_Tool, ...]:
    lines = [line.strip() for line in text.split("\n")]
    return (
        _Tool(name="Core Tools (func)", leaves_out=core_tools_reader(lines)),
        _Tool(name="the GitHub action", leaves_out=github_action_reader(text)),
        _Tool(name="VS Code", leaves_out=vs_code_reader(lines)),
    )


def _ignored_files(files: FileSet) -> Iterator[str]:
    """The files that rules of .funcignore leave out, some of each folder."""
    for entry in files.ignored:
        if not entry.rule.source.startswith(_IGNORE_FILE):
            continue
        if not entry.path.endswith("/"):
            yield entry.path
            continue
        left = _SAMPLED_FILES
        for place, _, names in os.walk(files.root / entry.path):
            prefix = os.path.relpath(place, files.root).replace(os.sep, "/")
            for name in sorted(names)[:left]:
                yield f"{prefix}/{name}"
            left -= len(names)
            if left <= 0:
                break


def core_tools_reader(lines: Iterable[str]) -> Callable[[str], bool]:
    """Patterns are anchored at the root and match a beginning; `!` wins wherever it stands."""
    positive: list[str] = []
    negative: list[str] = []
    for line in lines:
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!").removeprefix("/")
        (negative if line.startswith("!") else positive).append(_core_tools_pattern(pattern))
    denied, accepted = _joined(positive), _joined(negative)

    def leaves_out(path: str) -> bool:
        return denied.match(path) is not None and accepted.match(path) is None

    return leaves_out


def _core_tools_pattern(pattern: str) -> str:
    escaped = re.sub(r"[-\[\]/{}()+?.\\^$|]", r"\\\g<0>", pattern)
    return escaped.replace("**", "(.+)").replace("*", "([^\\/]+)")


def _joined(patterns: list[str]) -> re.Pattern[str]:
    if not patterns:
        return re.compile(r"(?!)")
    # Of the quantifiers only `*` is left, which has become a group.
    return re.compile(rf"(?:{'|'.join(sorted(patterns))})\b", re.ASCII)


def github_action_reader(text: str) -> Callable[[str], bool]:
    """As git, but without regard to case."""
    rules = IgnoreRules.parse(text.lower().encode(), source=_IGNORE_FILE)

    def leaves_out(path: str) -> bool:
        parts = path.lower().split("/")
        for end in range(1, len(parts)):
            rule = rules.match("/".join(parts[:end]), is_dir=True)
            if rule is not None and not rule.negated:
                return True
        rule = rules.match("/".join(parts), is_dir=False)
        return rule is not None and not rule.negated

    return leaves_out


def vs_code_reader(lines: Iterable[str]) -> Callable[[str], bool]:
    """All lines are one glob at the root: no comments, no `!`, no `/` at the end."""
    patterns = [line for line in lines if line and not line.startswith(("/", "#", "!"))]
    globs = [_glob(pattern) for pattern in patterns if not pattern.endswith("/")]
    if not globs:
        return lambda _: False
    matcher = re.compile(rf"(?:{'|'.join(globs)})(?:/.*)?", re.DOTALL)
    return lambda path: matcher.fullmatch(path) is not None


def _glob(pattern: str) -> str:
    """A glob of ripgrep as a regular expression."""
    out = []
    for part in re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]/]+\]|.", pattern, re.DOTALL):
        if part in _WILDCARDS:
            out.append(_WILDCARDS[part])
        elif len(part) > 1:
            inner = part[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            out.append(f"[^{inner[1:]}]" if inner[0] in "!^" and inner[1:] else f"[{inner}]")
        else:
            out.append(re.escape(part))
    return "".join(out)


def _listed(paths: list[str]) -> str:
    shown = ", ".join(paths[:_SHOWN])
    return f"{shown} and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else shown
