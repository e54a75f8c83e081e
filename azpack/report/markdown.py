"""A comparison as Markdown, for the comment on a pull request.

The names in a package are anybody's: they may hold markup, mentions and links. GitHub Flavored
Markdown (github.github.com/gfm) takes character references for the characters alone, never for
structure, and GitHub looks for no mentions, issues or emoji in <code>.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from azpack.redaction import redact
from azpack.report.comparison import change_of, comparison_sections, summary, visible
from azpack.report.figures import format_size
from azpack.report.overview import cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from azpack.package.changes import Comparison
    from azpack.report.comparison import Section

__all__ = ["code", "comparison_markdown", "escaped", "table"]

# GitHub takes comments of 65,536 characters.
_LARGEST_SECTION = 9_000
_LONGEST_CELL = 160
_FOLDED_FROM = 10
_TABLE_HEAD = 2  # lines
_MARKUP = re.compile(r"[^\w ./,+-]|_|(?i:(?<=www)\.)")


def comparison_markdown(comparison: Comparison) -> list[str]:
    """Lines of Markdown: the summary, the sizes, and each list, a long one folded up."""
    old, new = comparison.old, comparison.new
    lines = [
        f"### {code(old.path.name)} to {code(new.path.name)}",
        "",
        f"**{escaped(summary(comparison))}**",
        "",
        *table(("", "old", "new", "change"), _sizes(comparison)),
    ]
    for section in comparison_sections(comparison):
        lines += ["", *_section(section)]
    for text in comparison.unknown:
        lines += ["", f"_{escaped(text)}_"]
    return lines


def _sizes(comparison: Comparison) -> Iterator[Sequence[str]]:
    old, new = comparison.old, comparison.new
    sizes = (
        ("packed", old.size, new.size),
        ("unpacked", old.uncompressed_size, new.uncompressed_size),
    )
    for what, before, after in sizes:
        yield what, format_size(before), format_size(after), change_of(before, after)
    more = f"{new.entries - old.entries:+,}" if old.entries != new.entries else "the same"
    yield "entries", f"{old.entries:,}", f"{new.entries:,}", more


def _section(section: Section) -> Iterator[str]:
    folded = len(section.rows) > _FOLDED_FROM
    if folded:
        yield f"<details><summary>{section.title}</summary>"
    else:
        yield f"**{section.title}**"
    yield ""
    lines = list(_fitting(table(section.columns, _rows(section))))
    yield from lines
    if left := len(section.rows) + _TABLE_HEAD - len(lines):
        yield ""
        yield f"and {left:,} more, which `azpack diff -v` lists"
    if folded:
        yield ""
        yield "</details>"


def _rows(section: Section) -> Iterator[Sequence[str]]:
    for change, *cells in section.rows:
        yield (change, *map(code, cells))


def _fitting(lines: Iterable[str]) -> Iterator[str]:
    """The first lines, as many as there is room for."""
    room = _LARGEST_SECTION
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return
        yield line


def table(columns: Sequence[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """A table; the cells of `rows` are Markdown already."""
    for row in chain((columns, ["---"] * len(columns)), rows):
        yield f"| {' | '.join(row)} |"


def code(text: str) -> str:
    """A text in <code>, cut where it is too long to read."""
    if not text:
        return ""
    shown = cut(visible(redact(text)[: _LONGEST_CELL + 1]), _LONGEST_CELL)
    return f"<code>{escaped(shown)}</code>"


def escaped(text: str) -> str:
    """A text in which nothing is markup, and that is no link."""
    return _MARKUP.sub(lambda found: _reference(found[0]), text)


def _reference(character: str) -> str:
    # Alone in an element, so that no address is seen around it.
    reference = f"&#{ord(character)};"
    return f"<span>{reference}</span>" if character == "@" else reference
