"""`azpack build --dry-run`: the plan, with its reasons."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from azpack.cli.build_command import installed
from azpack.cli.console import Outcome, counted, folded
from azpack.package.manifest import target_table
from azpack.pipeline import plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.app.project import Project
    from azpack.cli.console import Console
    from azpack.options import Options
    from azpack.pipeline import Plan


def show_plan(project: Project, options: Options, console: Console) -> Outcome:
    """Say what would be packed, and why; nothing is written."""
    planned = plan(project, options, environ=os.environ, progress=console.progress())
    target = planned.target
    rows = [
        {
            "name": entry.name,
            "version": entry.version,
            "filename": entry.filename or entry.url,
            "index": index,
            "kind": entry.kind,
            "reason": entry.reason,
        }
        for entry, index in planned.distributions
    ]
    lines = [
        f"would build {planned.output}",
        f"  mode      {planned.mode}",
        *folded(planned.mode_reason.split()),
        (
            f"  target    Functions {target.functions}, Python {target.python} "
            f"({target.reason}), glibc {target.glibc}"
        ),
        *_contents(planned),
    ]
    for row in rows:
        origin = f" from {row['index']}" if row["index"] else ""
        lines.append(f"  {row['name']} {row['version']}".rstrip())
        lines.append(f"    {row['kind']}{origin}: {row['reason']}")
        lines.append(f"    {row['filename']}")
    data = {
        "output": str(planned.output),
        "mode": planned.mode,
        "mode_reason": planned.mode_reason,
        "target": target_table(target),
        "files": {
            "included": len(planned.files.included),
            "ignored": len(planned.files.ignored),
        },
        "distributions": rows,
        "findings": [],
    }
    return Outcome(data=data, lines=lines, findings=planned.findings)


def _contents(planned: Plan) -> Iterator[str]:
    files = counted(len(planned.files.included), "file")
    count = len(planned.distributions)
    if planned.remote is None:
        yield f"  contents  {files} and {counted(count, 'distribution')}"
        return
    yield f"  contents  {files}; {installed(planned.remote, count)}"
    for name, value in planned.remote.app_settings.items():
        yield f"  setting   {name}={value}"
