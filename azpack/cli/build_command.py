"""`azpack build`."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azpack.app.project import find_project
from azpack.cli.console import Outcome, counted, format_size
from azpack.errors import UsageError
from azpack.outputs import find_output
from azpack.package.manifest import companions_of, target_table
from azpack.pipeline import build
from azpack.target.plans import find_publishing

if TYPE_CHECKING:
    from azpack.app.project import Project
    from azpack.cli.main import Invocation
    from azpack.options import Options
    from azpack.pipeline import Result

_STANDARD_OUTPUT = Path("-")
_FOLDED_WIDTH = 76


def run(invocation: Invocation) -> Outcome | None:
    """Build, or with `--dry-run` say what would be built."""
    project = find_project(invocation.project)
    options = invocation.options(project.root)
    if invocation.arguments.dry_run:
        from azpack.cli.dry_run import show_plan

        return show_plan(project, options, invocation.console)
    if options.output == _STANDARD_OUTPUT:
        return _to_standard_output(project, options, invocation)
    output = find_output(project, options)
    result = build(
        project, options, output=output, environ=os.environ, progress=invocation.console.progress()
    )
    lines = [str(result.package.path)] if invocation.console.quiet else _lines(result, invocation)
    return Outcome(data=_data(result), lines=lines, findings=result.findings)


def _to_standard_output(
    project: Project, options: Options, invocation: Invocation
) -> Outcome | None:
    import shutil
    import tempfile

    if invocation.console.as_json:
        raise UsageError(
            "two-results", "--json and --output - would both write to standard output",
            hint="name a file for the zip",
        )  # fmt: skip
    if sys.stdout.isatty():
        raise UsageError(
            "zip-to-terminal", "a zip is not for a terminal",
            hint="send standard output to a file or a program, or name a file with --output",
        )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="azpack-") as folder:
        result = build(
            project,
            options,
            output=Path(folder) / f"{project.name}.zip",
            environ=os.environ,
            progress=invocation.console.progress(),
            companions=False,
        )
        with open(result.package.path, "rb") as package:
            shutil.copyfileobj(package, sys.stdout.buffer)
    return Outcome(data={}, lines=(), findings=result.findings)


def _data(result: Result) -> dict[str, Any]:
    package = result.package
    return {
        "package": {
            "path": str(package.path),
            "content_digest": package.content_digest,
            "sha256": package.sha256,
            "size": package.size,
            "uncompressed_size": package.uncompressed_size,
            "entries": package.entries,
        },
        "manifest": str(result.manifest),
        "mode": result.mode,
        "mode_reason": result.mode_reason,
        "target": target_table(result.target),
        "distributions": [asdict(distribution) for distribution in result.distributions],
        "files": {"included": len(result.files.included), "ignored": len(result.files.ignored)},
        "findings": [],
        "timings": {stage: round(seconds, 4) for stage, seconds in result.timings.items()},
    }


def _lines(result: Result, invocation: Invocation) -> list[str]:
    package, target = result.package, result.target
    seconds = sum(result.timings.values())
    head = invocation.console.paint("built", "green", sys.stdout)
    contents = [counted(len(package.files), "file")]
    if result.mode == "local":
        listed = f" of {result.source}" if result.source else ""
        contents.append(counted(len(result.distributions), "distribution") + listed)
    packed = f"{format_size(package.size)}, {format_size(package.uncompressed_size)} unpacked"
    lines = [
        f"{head} {shown_path(package.path)} in {seconds:.2f} s",
        f"  size      {packed}, {counted(package.entries, 'entry', 'entries')}",
        f"  contents  {' and '.join(contents)}",
        (
            f"  target    Functions {target.functions}, Python {target.python} "
            f"({target.reason}), glibc {target.glibc}"
        ),
        f"  digest    {package.content_digest}",
    ]
    if package.sha256:
        lines.append(f"  sha256    {package.sha256}")
    if result.manifest is not None:
        lines.append(f"  manifest  {shown_path(result.manifest)}")
    if result.settings and result.manifest is not None:
        lines.append(f"  settings  {shown_path(companions_of(package.path).settings)}")
    publishing = find_publishing(target.plan, package=shown_path(package.path))
    command, *options = publishing.command.split(" --")
    lines.append(f"  publish   {command} \\")
    return [*lines, *_folded([f"--{option}" for option in options])]


def _folded(options: list[str]) -> list[str]:
    """A command's options on as few lines as they take at 80 columns, joined by backslashes."""
    lines = [""]
    for option in options:
        if lines[-1] and len(lines[-1]) + len(option) > _FOLDED_WIDTH:
            lines[-1] += " \\"
            lines.append("")
        lines[-1] += f" {option}" if lines[-1] else f"              {option}"
    return lines


def shown_path(path: Path) -> str:
    """A path as short as it can be named from the working folder."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
