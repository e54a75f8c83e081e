"""The requirements that an app's requirements.txt lists, read from a tree.

Enough of pip's format to know which distributions are asked for; `azpack.deps.requirements` reads
all of it, for building.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from azpack.deps.requirements_file import decode_text
from azpack.errors import UsageError
from azpack.package.installed import canonical
from azpack.package.requirement_graph import LONGEST_REQUIREMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.app.tree import Tree

_NAME = re.compile(r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(\[[^\]]*\])?\s*([^;#]*)(?:;(.*))?")
_INCLUDE = re.compile(r"(?:-r|--requirement)[\s=]*(\S+)")
_COMMENT = re.compile(r"(^|\s)#.*")
_MOST_FILES = 50
_MOST_TEXT = 8 << 20  # bytes of all files
_MOST_LINES = 5000  # of all files; the longest lists have some hundreds


class RequirementLine(NamedTuple):
    """A requirement: the name in its canonical form, the text, and where it stands.

    `name` is empty for a URL, a path or a file that is not there, of which none can be known.
    """

    name: str
    text: str
    path: str
    line: int


def requirement_lines(tree: Tree, path: str = "requirements.txt") -> Iterator[RequirementLine]:
    """The requirements of a file and of those that it includes."""
    there = frozenset(tree.paths())
    pending, seen = [path], {path}
    left, room = _MOST_LINES, _MOST_TEXT
    while pending and len(seen) < _MOST_FILES:
        current = pending.pop()
        if current not in there:
            continue
        content = tree.read(current, room)
        room -= len(content)
        for number, text in _logical_lines(_text(content, current)):
            left -= 1
            if left < 0:
                return
            if found := _INCLUDE.match(text):
                included = posixpath.normpath(posixpath.join(posixpath.dirname(current), found[1]))
                if included not in there:  # or in no package: what it lists is not known
                    yield RequirementLine("", text, current, number)
                elif included not in seen:
                    seen.add(included)
                    pending.append(included)
            elif text.startswith(("-e", "--editable", ".", "/")) or _is_url(text):
                yield RequirementLine("", text, current, number)
            elif not text.startswith("-") and (match := _NAME.match(text)):
                plain = re.split(r"\s--", text, maxsplit=1)[0].strip()  # --hash and its like
                name = canonical(match[1]) if len(plain) <= LONGEST_REQUIREMENT else ""
                yield RequirementLine(name, plain[:LONGEST_REQUIREMENT], current, number)


def _text(content: bytes, path: str) -> str:
    """What pip would read, which may be UTF-16; where it refuses the file, what can be read."""
    try:
        return decode_text(content, path)
    except UsageError:  # the resolving says so
        return content.decode("utf-8-sig", "replace")


def _is_url(text: str) -> bool:
    return "://" in text.partition("@")[0] or text.endswith((".whl", ".zip", ".tar.gz"))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines with something in them, those that go on in the next one joined."""
    start, parts = 1, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        start = number if not parts else start
        if line.endswith("\\"):
            parts.append(line[:-1])
            continue
        whole = _COMMENT.sub("", " ".join([*parts, line])).strip()
        parts.clear()
        if whole:
            yield start, whole
    if rest := " ".join(parts).strip():
        yield start, rest
