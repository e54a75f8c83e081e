"""`azpack lock`."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from azpack.app.project import find_project
from azpack.cli.build_command import shown_path
from azpack.cli.console import Outcome, counted
from azpack.locking import lock
from azpack.package.manifest import target_table

if TYPE_CHECKING:
    from azpack.cli.main import Invocation


def run(invocation: Invocation) -> Outcome:
    """Resolve for the target and write the lock; with `--locked`, look whether it fits."""
    project = find_project(invocation.project)
    arguments = invocation.arguments
    text_file = arguments.requirements_txt
    result = lock(
        project,
        invocation.options(project.root),
        environ=os.environ,
        progress=invocation.console.progress(),
        upgrade=arguments.upgrade,
        upgrade_packages=tuple(arguments.upgrade_package),
        requirements_txt=Path(text_file) if text_file else None,
    )
    verb = "locked" if result.written else "unchanged:"
    count = counted(len(result.lock.distributions), "distribution")
    lines = [
        f"{verb} {count} for Python {result.target.python} on {result.target.platform}",
        *(f"  {shown_path(path)}" for path in result.paths),
    ]
    data = {
        "path": str(result.paths[0]),
        "written": result.written,
        "target": target_table(result.target),
        "distributions": [asdict(entry) for entry in result.lock.distributions],
    }
    return Outcome(data=data, lines=lines)
