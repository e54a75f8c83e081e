"""`azpack diff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from azpack.checks.selection import Selection
from azpack.cli.console import Outcome
from azpack.cli.inspect_command import settings_here
from azpack.errors import UsageError
from azpack.package.changes import comparison_table
from azpack.package.two_zips import compare_zips

if TYPE_CHECKING:
    from azpack.cli.main import Invocation
    from azpack.package.changes import Comparison


def run(invocation: Invocation) -> Outcome:
    """Say what changed from one package to another."""
    arguments = invocation.arguments
    if arguments.json and arguments.format not in (None, "json"):
        raise UsageError(
            "contradiction", f"--json and --format {arguments.format} are two forms",
            hint="leave out one of the two",
        )  # fmt: skip
    _, settings = settings_here(invocation)
    selection = Selection.from_settings(settings)
    comparison = compare_zips(Path(arguments.old), Path(arguments.new), selection)
    return Outcome(
        data=comparison_table(comparison),
        lines=_lines(comparison, invocation),
        failing=arguments.exit_code and comparison.differs,
    )


def _lines(comparison: Comparison, invocation: Invocation) -> list[str]:
    if invocation.arguments.format == "markdown":
        from azpack.report.markdown import comparison_markdown

        return comparison_markdown(comparison)
    from azpack.report.comparison import comparison_lines, summary

    if invocation.console.quiet:
        return [summary(comparison)]
    return comparison_lines(comparison, whole=invocation.console.verbosity > 0)
