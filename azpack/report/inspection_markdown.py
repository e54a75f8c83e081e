"""An inspection as the Markdown page that build services show with a build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azpack.report.figures import counted, format_size
from azpack.report.markdown import escaped, table
from azpack.report.overview import cut, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from azpack.package.inspection import Inspection

# GitHub takes a page of 1 MB, and whoever reads it less.
_MOST_ROWS = 100
_LONGEST_CELL = 1000  # characters; a finding's message has some hundred


def inspection_markdown(inspection: Inspection) -> str:
    """The page: what the package is, what is wrong with it, and what is in it."""
    package = inspection.package
    blocks = [
        f"## {_cell(package.path.name)}",
        _table(("", ""), _overview(inspection)),
        *_section(
            "Findings",
            ("", "", "where", "what", "what to do"),
            [
                (
                    finding.severity,
                    finding.code,
                    finding.path or "",
                    finding.message,
                    finding.hint or "",
                )
                for finding in inspection.findings
            ],
        ),
        *_section("Functions", ("name", "trigger", "route", "script"), _functions(inspection)),
        *_section(
            "Distributions",
            ("name", "version", "in the zip", "unpacked", "files", ""),
            [
                (
                    entry.name,
                    entry.version,
                    format_size(entry.compressed_size),
                    format_size(entry.size),
                    f"{entry.files:,}",
                    "native" if entry.native else "",
                )
                for entry in inspection.distributions
            ],
        ),
        *_section(
            "Largest files",
            ("in the zip", "path"),
            [(format_size(file.compressed_size), file.path) for file in inspection.largest()],
        ),
    ]
    return "\n\n".join(blocks) + "\n\n"


def _overview(inspection: Inspection) -> Iterator[tuple[str, str]]:
    package, target, native = inspection.package, inspection.target, inspection.native
    packed = f"{format_size(package.size)}, {format_size(package.uncompressed_size)} unpacked"
    yield "size", f"{packed}, {counted(package.entries, 'entry', 'entries')}"
    runtime = f"Functions {target.functions}, Python {target.python}, glibc {target.glibc}"
    yield "target", f"{runtime}, {target.plan} plan; Python by {inspection.grounds}"
    if native.files:
        needs = f", needs glibc {native.glibc}" if native.glibc else ""
        machines = ", ".join(native.machines)
        yield "native code", f"{counted(native.files, 'file')} for {machines}{needs}"
    if package.content_digest:
        yield "content digest", package.content_digest
    if package.sha256:
        yield "SHA-256", package.sha256


def _functions(inspection: Inspection) -> list[tuple[str, ...]]:
    return [
        (
            function.name or "(its name is made when it runs)",
            function.trigger.type or "?" if function.trigger else "no trigger",
            route or "",
            function.script,
        )
        for function, route in zip(inspection.app.functions, inspection.routes, strict=True)
    ]


def _section(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if rows:
        yield f"### {title}: {len(rows):,}"
        yield _table(head, rows[:_MOST_ROWS])
    if len(rows) > _MOST_ROWS:
        yield f"and {len(rows) - _MOST_ROWS:,} more"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(table(head, (map(_cell, row) for row in rows)))


def _cell(text: str) -> str:
    return escaped(cut(shown(text), _LONGEST_CELL))
