"""A verification as lines that fit 80 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from azpack.package.oddities import printable
from azpack.report.figures import format_size
from azpack.report.overview import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from azpack.worker.faults import Fault
    from azpack.worker.verification import Verdict, Verification

_COLUMNS = 80
_SHOWN_IMPORTS, _SHOWN_SECONDS, _SHOWN_OUTPUT = 5, 0.01, 20
_TITLES = {
    "passed": "Azure's own library loads it",
    "failed": "it would fail on Azure",
    "unverified": "nothing was proved",
}
_PARTS = {
    "interpreter": "interpreter",
    "worker": "runtime library",
    "import": "imports",
    "index": "indexing",
}


def verdict_lines(
    found: Verification, paint: Callable[[Verdict], str], *, verbose: bool
) -> Iterator[str]:
    """The verdict first, then what is behind it; `paint` gives the verdict its colour.

    `verbose` adds tracebacks and what the app printed.
    """
    yield f"{paint(found.verdict)} {found.path.name}: {_TITLES[found.verdict]}"
    if found.reason:
        yield from _folded(found.reason, "  ")
    for fault in found.faults:
        yield ""
        yield from _fault(fault, verbose=verbose)
    for finding in found.related:
        path = finding.path or ""
        place = f"{path}: " if path and path not in finding.message else ""
        yield from _folded(f"inspect says {finding.code}: {place}{finding.message}", "  ")
    if found.python:
        yield ""
        yield from _folded(f"for Python {found.target.python} ({found.grounds})", "")
        yield from _evidence(found)
    if verbose and found.output:
        yield "what the app printed last:"
        yield from (f"  {printable(line)}" for line in found.output[-_SHOWN_OUTPUT:])
    yield from _limits(found)


def _fault(fault: Fault, *, verbose: bool) -> Iterator[str]:
    place = f":{fault.line}" if fault.line else ""
    if fault.path:
        yield printable(f"{fault.path}{place}")
    yield from _folded(f"error {fault.code}: {fault.message}", "  ")
    if fault.hint:
        yield from _folded(f"hint: {fault.hint}", "    ", "    ")
    if verbose and fault.traceback:
        yield from (f"    {printable(line)}" for line in fault.traceback.splitlines())


def _evidence(found: Verification) -> Iterator[str]:
    runtime = found.runtime
    if runtime:
        version, whose = runtime["azure_functions"], runtime["azure_functions_from"]
        library = f", azure-functions {version} of the {whose}" if version else ""
        yield from _folded(f"run by {runtime['name']} {runtime['version']}{library}", "")
    where = f"{found.interpreter} in {found.image}" if found.image else found.interpreter
    yield from _folded(f"under Python {found.python}, {found.libc}: {where}", "")
    if found.functions:
        yield f"functions: {len(found.functions)}"
        width = min(max(len(it.name) for it in found.functions), 36)
        kinds = max(len(it.trigger or "?") for it in found.functions)
        for it in found.functions:
            row = f"  {cut(it.name, width):{width}}  {it.trigger or '?':{kinds}}  {it.route or ''}"
            yield cut(printable(row.rstrip()))
    yield from _invocations(found)
    if found.verdict == "passed":
        yield from _cold_start(found)


def _invocations(found: Verification) -> Iterator[str]:
    for it in found.invocations:
        if it.skipped:
            yield from _folded(f"{it.name} was not invoked: {it.skipped}", "")
            continue
        answer = f"{it.status}, {format_size(it.size)}" if it.status else "it raised"
        yield cut(printable(f"{it.method} {it.url}: {answer}, {it.seconds * 1000:.1f} ms"))
        if it.body:
            yield cut(f"  {printable(it.body)}")


def _cold_start(found: Verification) -> Iterator[str]:
    timings = found.timings
    parts = [f"{title} {timings[name]:.2f}" for name, title in _PARTS.items() if name in timings]
    if not parts:
        return
    whole = sum(timings[name] for name in _PARTS if name in timings)
    yield from _folded(f"start-up: {whole:.2f} s ({', '.join(parts)})", "")
    names = {it.module for it in found.slowest}
    slowest = [
        it
        for it in found.slowest
        if it.seconds >= _SHOWN_SECONDS and names.isdisjoint(_parents(it.module))
    ]
    if slowest:
        yield "slowest imports, with and without what they import from others:"
    for it in slowest[:_SHOWN_IMPORTS]:
        yield cut(f"  {it.seconds:6.3f} s {it.own_seconds:6.3f} s  {printable(it.module)}")


def _parents(module: str) -> Iterator[str]:
    while module := module.rpartition(".")[0]:
        yield module


def _limits(found: Verification) -> Iterator[str]:
    for note in found.notes:
        yield from _folded(f"note: {note}", "")
    if found.unproved and found.verdict == "passed":
        yield from _folded(f"not proved: {'; '.join(found.unproved)}", "")


def _folded(text: str, first: str, rest: str | None = None) -> Sequence[str]:
    return textwrap.wrap(
        printable(text),
        _COLUMNS,
        initial_indent=first,
        subsequent_indent=f"{first}  " if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
