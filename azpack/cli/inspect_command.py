"""`azpack inspect`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from azpack.app.project import find_project
from azpack.checks.selection import Selection
from azpack.cli.build_service import publish_summary
from azpack.cli.findings_output import findings_outcome
from azpack.errors import UsageError
from azpack.package.inspection import Wishes, inspect_package, inspection_table
from azpack.report.overview import overview_lines
from azpack.report.places import Places

if TYPE_CHECKING:
    from azpack.app.config import Value
    from azpack.cli.console import Outcome
    from azpack.cli.main import Invocation
    from azpack.package.inspection import Inspection


def run(invocation: Invocation) -> Outcome:
    """Say what is in a package, and what is wrong with it."""
    named = invocation.arguments.package
    settings = _settings(invocation)
    selection = Selection.from_settings(settings)
    inspection = inspect_package(Path(named), _wishes(invocation), selection)
    _tell_service(inspection, invocation)
    return findings_outcome(
        inspection.findings,
        invocation,
        settings,
        data=inspection_table(inspection),
        places=Places(archive=named),
        overview=() if invocation.console.quiet else [*overview_lines(inspection), ""],
        whole="the package",
        where=Path(named).name,
    )


def _tell_service(inspection: Inspection, invocation: Invocation) -> None:
    """Show what is in the package on the page of the build."""
    service = invocation.console.service
    if service is None:
        return
    from azpack.report.markdown import inspection_markdown

    name = inspection.package.path.name.removesuffix(".zip")
    page = inspection_markdown(inspection)
    for line in publish_summary(service, name, page, os.environ):
        invocation.console.command(line)


def _wishes(invocation: Invocation) -> Wishes:
    """The target as the command line names it: a project's own need not be that of a package."""
    given = {name: str(value) for name, value in invocation.given().items()}
    return Wishes(
        python=given.get("python"),
        functions=given.get("functions-version"),
        plan=given.get("plan"),
    )


def _settings(invocation: Invocation) -> dict[str, Value]:
    """How to check and show: as the project does, where the working folder lies in one."""
    try:
        project = find_project(None)
    except UsageError:
        return invocation.given()
    return invocation.settings(project.root)
