"""`azpack build` for several apps: one after the other, with one store and one summary."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azpack.app.project import find_project
from azpack.cli.console import (
    Outcome,
    counted,
    error_rows,
    findings_table,
    format_size,
    status_of,
)
from azpack.errors import AzpackError, FindingsError, UsageError, as_azpack_error
from azpack.repository.apps import find_apps, names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from azpack.app.project import Project
    from azpack.cli.main import Invocation
    from azpack.options import Options

__all__ = ["build_several", "named_projects"]


def named_projects(folders: Sequence[str], *, below: bool) -> tuple[Project, ...]:
    """The projects in folders, each once; `below`: at any depth, by default of the working folder.

    Raises:
        UsageError: a folder is no function app, or, `below`, there is none in it.
    """
    if below:
        found = [it for name in folders or ["."] for it in find_apps(Path(name).absolute())]
    else:
        found = [find_project(Path(name)) for name in folders]
    return tuple(dict.fromkeys(found))


def build_several(
    projects: Sequence[Project],
    invocation: Invocation,
    build_one: Callable[[Project, Options, Invocation], Outcome],
) -> Outcome:
    """Build each app; one that fails does not keep the others from being built.

    Raises:
        UsageError: one file is named as the output of them all.
    """
    folder = _output_folder(invocation)
    console = invocation.console
    names = names_of(projects, Path.cwd())
    outcomes = []
    for project, name in zip(projects, names, strict=True):
        console.progress().note(f"{name}:")
        try:
            options = invocation.options(project.root)
            if folder is not None:
                options = replace(options, output=folder / f"{name}.zip")
            outcome = build_one(project, options, invocation)
            console.list_findings(outcome.findings)
        except (AzpackError, OSError) as error:
            wrong = as_azpack_error(error)
            console.explain(wrong)
            found = wrong.findings if isinstance(wrong, FindingsError) else ()
            outcome = Outcome(data={}, lines=(), findings=found, failed=(wrong,))
        outcomes.append(outcome)
    failed = [error for outcome in outcomes for error in outcome.failed]
    if console.quiet or invocation.arguments.dry_run:
        lines = [line for outcome in outcomes for line in outcome.lines]
    else:
        lines = list(_summary(names, outcomes))
    rows = [_row(*pair) for pair in zip(projects, outcomes, strict=True)]
    failing = any(outcome.failing for outcome in outcomes)
    return Outcome(data={"builds": rows}, lines=lines, failed=failed, failing=failing)


def _output_folder(invocation: Invocation) -> Path | None:
    """The folder for the zips, where one is named for all apps."""
    if sbom := invocation.given().get("sbom") or os.environ.get("AZPACK_SBOM"):
        raise UsageError(
            "one-output-for-several",
            f"--sbom {sbom} is for one app, and there are several",
            hint='write sbom = "FILE" into the configuration of each app',
        )
    named = invocation.given().get("output") or os.environ.get("AZPACK_OUTPUT")
    if named is None:
        return None
    if named == "-" or Path(str(named)).is_file():
        raise UsageError(
            "one-output-for-several",
            f"--output {named} is for one app, and there are several",
            hint="name a folder: each app's zip is written there, under its name",
        )
    return Path(str(named))


def _row(project: Project, outcome: Outcome) -> dict[str, Any]:
    return {
        "project": str(project.root),
        "status": status_of(outcome),
        "exit_code": outcome.exit_code,
        "data": {**outcome.data, **findings_table(outcome.findings)},
        "errors": error_rows(outcome.failed),
    }


def _summary(names: Sequence[str], outcomes: Sequence[Outcome]) -> Iterator[str]:
    built = [outcome for outcome in outcomes if not outcome.failed]
    seconds = sum(sum(outcome.data["timings"].values()) for outcome in built)
    of_all = f"{len(built)} of " if len(built) < len(outcomes) else ""
    yield f"built {of_all}{counted(len(outcomes), 'app')} in {seconds:.2f} s"
    width = max(map(len, names))
    for name, outcome in zip(names, outcomes, strict=True):
        if outcome.failed:
            code = outcome.failed[0].code
            yield f"  {name:{width}}  failed   {code} (exit code {outcome.exit_code})"
        else:
            package = outcome.data["package"]
            shown = os.path.relpath(package["path"])
            path = package["path"] if shown.startswith("..") else shown
            verified = outcome.data.get("verification", {}).get("verdict", "")
            line = f"  {name:{width}}  {format_size(package['size']):>8}  {path}"
            yield f"{line}  {verified}".rstrip()
