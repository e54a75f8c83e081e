"""`azpack runtimes`."""

from __future__ import annotations

from dataclasses import asdict
from textwrap import wrap
from typing import TYPE_CHECKING

from azpack.cli.console import Outcome
from azpack.target.runtimes import load_runtimes

if TYPE_CHECKING:
    from azpack.cli.main import Invocation


def run(_invocation: Invocation) -> Outcome:
    """Show the table of runtimes, the newest first."""
    rows = [("FUNCTIONS", "PYTHON", "IMAGE", "GLIBC", "SUPPORT ENDS", "PACKAGED")]
    runtimes = load_runtimes()[::-1]
    for runtime in runtimes:
        packaged = "yes" if runtime.packaged else "no"
        rows.append(
            (runtime.functions, runtime.python, runtime.image, runtime.glibc,
             runtime.end_of_support, packaged)
        )  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    for row in runtimes:
        lines += wrap(f"{row.functions}/{row.python}: {row.note}" if row.note else "", 80)
    return Outcome(data={"runtimes": [asdict(runtime) for runtime in runtimes]}, lines=lines)
