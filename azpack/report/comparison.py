"""A comparison as lists of changes, and as lines that fit a screen of 80 columns and 24 rows."""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azpack.redaction import redact
from azpack.report.figures import counted, format_size
from azpack.report.overview import cut_front, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from azpack.package.changes import (
        Comparison,
        DistributionChange,
        FileChange,
        FunctionChange,
        ValueChange,
    )

__all__ = ["Section", "change_of", "comparison_lines", "comparison_sections", "summary", "visible"]

_WIDTH = 80
_ROWS = 22
_LONGEST_PATH = 56
_MARKS = {"added": "+", "new": "+", "removed": "-", "gone": "-", "changed": "~"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A list of changes: the first cell of a row is "added", "removed", "changed", "new" or "gone".

    The names in it are not escaped.
    """

    noun: str
    plural: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def title(self) -> str:
        """What it lists, and how many: "functions: 1 added, 2 changed"."""
        counts = Counter(row[0] for row in self.rows)
        return f"{self.plural}: {', '.join(f'{counts[it]:,} {it}' for it in _MARKS if counts[it])}"


def comparison_sections(comparison: Comparison) -> tuple[Section, ...]:
    """All lists in which there is something."""
    settings = [
        *((change, "") for change in comparison.target),
        *((change, "app setting ") for change in comparison.app_settings or ()),
        *((change, "host.json ") for change in comparison.host_json),
    ]
    findings = [("new", it) for it in comparison.new_findings]
    findings += [("gone", it) for it in comparison.gone_findings]
    sections = (
        Section(
            noun="setting", plural="settings", columns=("change", "setting", "value"),
            rows=tuple(_value_row(change, prefix) for change, prefix in settings),
        ),
        Section(
            noun="function", plural="functions", columns=("change", "function", "what"),
            rows=tuple(map(_function_row, comparison.functions)),
        ),
        Section(
            noun="distribution", plural="distributions",
            columns=("change", "distribution", "version", "packed", "files"),
            rows=tuple(map(_distribution_row, comparison.distributions)),
        ),
        Section(
            noun="file of the app", plural="files of the app", columns=("change", "file", "size"),
            rows=tuple(map(_file_row, comparison.app_files)),
        ),
        Section(
            noun="kind of odd entries", plural="kinds of odd entries",
            columns=("change", "kind", "value"),
            rows=tuple(_value_row(change) for change in comparison.odd_entries),
        ),
        Section(
            noun="finding", plural="findings", columns=("change", "rule", "finding"),
            rows=tuple(
                (which, f"{it.severity} {it.code}", f"{it.path}: {it.message}" if it.path
                 else it.message)
                for which, it in findings
            ),
        ),
    )  # fmt: skip
    return tuple(section for section in sections if section.rows)


def _value_row(change: ValueChange, prefix: str = "") -> tuple[str, ...]:
    return (change.change, f"{prefix}{change.name}", _arrow(change.old, change.new))


def _arrow(old: str | None, new: str | None) -> str:
    """The one that is there, or both where they are not the same."""
    if old is None or new is None or old == new:
        return new if new is not None else old or ""
    return f"{old} -> {new}"


def _function_row(function: FunctionChange) -> tuple[str, ...]:
    if function.values:
        what = "; ".join(f"{it.name}: {_change_text(it)}" for it in function.values)
    else:
        known = (function.trigger or "no trigger", function.route, function.script)
        what = ", ".join(filter(None, known))
    return (function.change, function.name or "(its name is made when it runs)", what)


def _change_text(value: ValueChange) -> str:
    return _arrow(value.old or "nothing", value.new or "nothing")


def _distribution_row(distribution: DistributionChange) -> tuple[str, ...]:
    old, new = distribution.old, distribution.new
    versions = (old.version if old else None, new.version if new else None)
    counts = (
        ("+", distribution.files_added),
        ("-", distribution.files_removed),
        ("~", distribution.files_changed),
    )
    files = " ".join(f"{mark}{count:,}" for mark, count in counts if count)
    size = (new.compressed_size if new else 0) - (old.compressed_size if old else 0)
    same = " (same version)" if versions[0] == versions[1] else ""
    return (
        distribution.change, distribution.name, f"{_arrow(*versions)}{same}", _signed(size),
        f"{files} files" if files else "",
    )  # fmt: skip


def _file_row(file: FileChange) -> tuple[str, ...]:
    old, new = file.old, file.new
    if file.mode_alone and old and new:
        size = f"mode {old.mode:o} -> {new.mode:o}"
    else:
        size = _arrow(*(format_size(entry.size) if entry else None for entry in (old, new)))
    return (file.change, file.path, size)


def _signed(size: int) -> str:
    return f"{'-' if size < 0 else '+'}{format_size(abs(size))}"


def change_of(old: int, new: int) -> str:
    """By how much a size in bytes has changed: "+1.2 kB"."""
    return _signed(new - old) if new != old else "the same"


def summary(comparison: Comparison) -> str:
    """What differs in a few words; with the same content, also how the zips differ."""
    counts = [
        counted(len(section.rows), section.noun, section.plural)
        for section in comparison_sections(comparison)
        if section.noun != "finding"
    ]
    if comparison.same_content:
        same = _same(comparison)
        return f"{same}; {counts[0]} changed" if counts else same
    return f"{_listed(counts)} changed"


def _same(comparison: Comparison) -> str:
    if comparison.repacked is None:
        return "the same bytes"
    if not comparison.repacked:
        return "the same content"
    return f"the same content; the zips differ in {_listed(comparison.repacked)}"


def _listed(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def comparison_lines(comparison: Comparison, *, whole: bool = False) -> list[str]:
    """What changed, shortened to a screen unless the `whole` is wanted."""
    sections = comparison_sections(comparison)
    start = [*_head(comparison), *(_wrapped(_same(comparison)) if comparison.same_content else ())]
    end = [line for text in comparison.unknown for line in _wrapped(f"note: {text}")]
    if whole:
        lists = [line for section in sections for line in (section.title, *_whole(section.rows))]
        return [*start, *lists, *_whole_distributions(comparison), *end]
    room = _ROWS - len(start) - len(end) - len(sections) - 1
    needs = [len(section.rows) for section in sections]
    shares = _shares(needs, max(room, len(sections)))
    lines = list(start)
    for section, count in zip(sections, shares, strict=True):
        lines += _section_lines(section, count)
    lines += end
    if shares != needs:
        lines.append("-v lists all, and --json tells more")
    return lines


def _head(comparison: Comparison) -> Iterator[str]:
    old, new = comparison.old, comparison.new
    yield f"old       {_shown_path(old.path)}"
    yield f"new       {_shown_path(new.path)}"
    yield (
        f"packed    {_sizes(old.size, new.size)}; "
        f"{_arrow(f'{old.entries:,}', f'{new.entries:,}')} entries"
    )
    yield f"unpacked  {_sizes(old.uncompressed_size, new.uncompressed_size)}"


def _sizes(old: int, new: int) -> str:
    return f"{_arrow(format_size(old), format_size(new))} ({change_of(old, new)})"


def _shown_path(path: Path) -> str:
    relative = os.path.relpath(path)
    return cut_front(visible(str(path) if relative.startswith("..") else relative), _WIDTH - 10)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent="  ")


def _shares(needs: Sequence[int], room: int) -> list[int]:
    """How many rows each list gets: what it needs, or an equal part of what others leave."""
    shares = [0] * len(needs)
    for done, index in enumerate(sorted(range(len(needs)), key=needs.__getitem__)):
        shares[index] = min(needs[index], room // (len(needs) - done))
        room -= shares[index]
    return shares


def _section_lines(section: Section, count: int) -> Iterator[str]:
    part = f"; {count:,} of {len(section.rows):,} shown" if count < len(section.rows) else ""
    yield f"{section.title}{part}"
    rows = []
    for change, name, *rest in section.rows[:count]:
        cells = [visible(name), *map(visible, rest)]
        if section.columns[1] == "file":
            cells[0] = cut_front(cells[0], _LONGEST_PATH)
        elif section.columns[2] == "value":  # both may be long, and either short
            cells = [": ".join(cells)]
        rows.append([_MARKS[change], *cells])
    yield from table(rows)


def _whole(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Rows with nothing cut off."""
    for change, *cells in rows:
        yield "  ".join((f"  {_MARKS[change]}", *filter(None, map(visible, cells))))


def _whole_distributions(comparison: Comparison) -> Iterator[str]:
    """The files of distributions, one by one."""
    rows = [_file_row(file) for file in comparison.files if file.distribution is not None]
    if rows:
        yield "files of distributions:"
        yield from _whole(rows)


def visible(text: str) -> str:
    """A text without secrets, with escapes for what is not seen, or turns the text around it."""
    text = redact(text)
    if text.isprintable():
        return text
    return "".join(it if it.isprintable() else repr(it)[1:-1] for it in text)
