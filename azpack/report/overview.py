"""An inspection as lines that fit a screen of 80 columns and 24 rows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from azpack.package.oddities import printable
from azpack.redaction import redact
from azpack.report.figures import counted, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from azpack.package.inspection import Inspection

_WIDTH = 80
_ROWS = 22  # and two for the summary and the prompt
_FUNCTIONS, _FILES = 5, 3


def overview_lines(inspection: Inspection) -> list[str]:
    """What a package is, its functions, distributions and largest files."""
    start = [*_package(inspection), *_functions(inspection)]
    end = [*_largest(inspection)]
    room = _ROWS - len(start) - len(end) - 2
    return [*start, *_distributions(inspection, room), *end]


def _package(inspection: Inspection) -> Iterator[str]:
    package, target = inspection.package, inspection.target
    name = os.path.relpath(package.path)
    yield cut(shown(str(package.path) if name.startswith("..") else name))
    yield cut(
        f"  size      {format_size(package.size)}, "
        f"{format_size(package.uncompressed_size)} unpacked, "
        f"{counted(package.entries, 'entry', 'entries')}"
    )
    yield cut(
        f"  target    Functions {target.functions}, Python {target.python}, glibc {target.glibc}, "
        f"{target.plan} plan"
    )
    yield cut(f"            Python by {shown(inspection.grounds)}")
    if package.content_digest:
        yield f"  digest    {package.content_digest}"
    if inspection.native.files:
        yield cut(f"  native    {_native(inspection)}")


def _native(inspection: Inspection) -> str:
    native = inspection.native
    glibc = f", needs glibc {native.glibc}" if native.glibc else ""
    return f"{counted(native.files, 'file')} for {', '.join(native.machines)}{glibc}"


def _functions(inspection: Inspection) -> Iterator[str]:
    functions = inspection.app.functions
    models = " and ".join(sorted(inspection.app.models))
    unknown = "; more may be made when it runs" if inspection.app.unknown else ""
    yield cut(f"functions: {len(functions)}{f' ({models})' if models else ''}{unknown}")
    rows = [
        [
            function.name or "(its name is made when it runs)",
            function.trigger.type or "?" if function.trigger else "no trigger",
            route or "",
            function.script,
        ]
        for function, route in zip(functions, inspection.routes, strict=True)
    ]
    yield from table(rows[:_FUNCTIONS])
    yield from _more(len(rows) - _FUNCTIONS)


def _distributions(inspection: Inspection, room: int) -> Iterator[str]:
    found = inspection.distributions
    native = sum(distribution.native for distribution in found)
    yield f"distributions: {len(found)}{f', {native} with native code' if native else ''}"
    rows = [
        [
            f"{distribution.name} {distribution.version}",
            format_size(distribution.compressed_size),
            f"{format_size(distribution.size)} unpacked",
            counted(distribution.files, "file"),
            "native" if distribution.native else "",
        ]
        for distribution in found[:room]
    ]
    yield from table(rows)
    yield from _more(len(found) - room)


def _largest(inspection: Inspection) -> Iterator[str]:
    yield "largest files:"
    for file in inspection.largest(_FILES):
        size = f"  {format_size(file.compressed_size):>9}  "
        yield size + cut_front(shown(file.path), _WIDTH - len(size))


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield f"  and {count:,} more"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows in columns; the widest gives way where they take more than the screen."""
    texts = [[shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    while (excess := sum(widths) + 2 * len(widths) - _WIDTH) > 0:
        widest = max(range(len(widths)), key=lambda index: widths[index])
        widths[widest] -= min(excess, max(widths[widest] // 4, 1))
    for row in texts:
        cells = (cut(cell, width).ljust(width) for cell, width in zip(row, widths, strict=True))
        yield ("  " + "  ".join(cells)).rstrip()


def shown(text: str) -> str:
    """A text without secrets, with escapes for what is not seen, or reorders what is.

    That comes before anything is cut off: half of a URL does not tell where its password ends.
    """
    return printable(redact(text))


def cut(text: str, width: int = _WIDTH) -> str:
    """A text that is no longer than the width, its end left out where it is."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def cut_front(text: str, width: int) -> str:
    """The same for a path, whose end tells more than its start."""
    return text if len(text) <= width else f"…{text[1 - width :]}"
