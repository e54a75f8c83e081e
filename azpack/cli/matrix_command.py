"""`azpack matrix`."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azpack.cli.console import Outcome
from azpack.errors import UsageError
from azpack.repository.apps import find_apps, names_of
from azpack.repository.changes import changed_paths, first_below
from azpack.repository.sources import find_sources
from azpack.request import target_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from azpack.app.project import Project
    from azpack.cli.main import Invocation
    from azpack.options import Options

_Row = dict[str, Any]


def run(invocation: Invocation) -> Outcome:
    """Print the apps below a folder that are to be built, as a pipeline's matrix."""
    named = invocation.arguments.folder
    folder = Path(named or ".").absolute()
    projects = find_apps(folder)
    revision = invocation.arguments.since
    changed = changed_paths(folder, revision) if revision else None
    rows = []
    for project, name in zip(projects, names_of(projects, folder), strict=True):
        options = invocation.options(project.root)
        row = _row(project, name, options)
        if changed is not None:
            found = first_below(changed, find_sources(project, options))
            if found is None:
                invocation.console.progress().log(f"{row['project']}: nothing changed")
                continue
            row["changed"] = os.path.relpath(found)
        rows.append(row)
    shape = invocation.arguments.matrix_format or _shape_of(os.environ)
    return Outcome(data={"since": revision, "apps": rows}, lines=[_matrix(rows, shape)])


def _row(project: Project, name: str, options: Options) -> _Row:
    python = target_of(project, options).python
    return {"name": name, "project": os.path.relpath(project.root), "python": python}


def _shape_of(environ: Mapping[str, str]) -> str:
    return "azure" if environ.get("TF_BUILD") else "github"


def _matrix(rows: Sequence[_Row], shape: str) -> str:
    # Azure makes environment variables of these: one named "path" would be PATH.
    rows = [{key: row[key] for key in ("name", "project", "python")} for row in rows]
    if shape == "github":
        return json.dumps({"include": rows}, separators=(",", ":"))
    jobs: dict[str, _Row] = {}
    for row in rows:
        # The names of Azure's jobs are letters, digits and underscores, with a letter first.
        name = re.sub(r"^(?=[\d_])", "app_", re.sub(r"\W", "_", row["name"], flags=re.ASCII))
        if name in jobs:
            raise UsageError(
                "same-names",
                f"the jobs of {jobs[name]['project']} and {row['project']} would both be {name}",
                hint="rename the folder of one of them",
            )
        jobs[name] = row
    return json.dumps(jobs, separators=(",", ":"))
