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

_PAGE_MARK = b"<!doctype html"


def run(invocation: Invocation) -> Outcome:
    """Say what is in a package, and what is wrong with it."""
    named = invocation.arguments.package
    page = _page_place(invocation.arguments.html, Path(named))
    _, settings = settings_here(invocation)
    selection = Selection.from_settings(settings)
    inspection = inspect_package(Path(named), target_wishes(invocation), selection)
    data = inspection_table(inspection)
    if page is not None:
        _write_page(inspection, page)
        data["html"] = str(page)
        invocation.console.progress().note(f"wrote {invocation.arguments.html}")
    _tell_service(inspection, invocation)
    return findings_outcome(
        inspection.findings,
        invocation,
        settings,
        data=data,
        places=Places(archive=named),
        overview=() if invocation.console.quiet else [*overview_lines(inspection), ""],
        whole="the package",
        where=Path(named).name,
    )


def _page_place(named: str | None, package: Path) -> Path | None:
    """Where the page goes, as an absolute path.

    Raises:
        UsageError: what is there already is no page, and would be lost.
    """
    if named is None:
        return None
    if named == "-":
        raise UsageError(
            "two-results", "--html - and the result would both go to standard output",
            hint="name a file for the page",
        )  # fmt: skip
    page = Path(os.path.abspath(named))
    if page.is_dir():
        hint = f"name the page: --html {Path(named) / package.stem}.html"
        raise UsageError("output-is-a-folder", f"{named} is a folder", hint=hint)
    if not page.exists():
        return page
    if package.exists() and page.samefile(package):
        raise UsageError(
            "overwrites-package", f"{named} is the package itself", hint="name another file"
        )
    if not page.is_file():
        hint = "name another file with --html"
        raise UsageError("output-not-a-file", f"{named} is not a regular file", hint=hint)
    with page.open("rb") as file:
        begin = file.read(len(_PAGE_MARK))
    if begin and begin.lower() != _PAGE_MARK:
        raise UsageError(
            "output-is-no-page",
            f"{named} is there already, and is no HTML page: it would be lost",
            hint="name another file with --html, or remove that one",
        )
    return page


def _write_page(inspection: Inspection, page: Path) -> None:
    from azpack.atomic import replacing
    from azpack.report.page import inspection_page

    content = inspection_page(inspection)
    with replacing(page, option="--html") as file:
        file.write(content)


def _tell_service(inspection: Inspection, invocation: Invocation) -> None:
    """Show what is in the package on the page of the build."""
    service = invocation.console.service
    if service is None:
        return
    from azpack.report.inspection_markdown import inspection_markdown

    name = inspection.package.path.name.removesuffix(".zip")
    page = inspection_markdown(inspection)
    for line in publish_summary(service, name, page, os.environ):
        invocation.console.command(line)


def target_wishes(invocation: Invocation) -> Wishes:
    """The target as the command line names it: a project's own need not be that of a package."""
    given = {name: str(value) for name, value in invocation.given().items()}
    return Wishes(
        python=given.get("python"),
        functions=given.get("functions-version"),
        plan=given.get("plan"),
    )


def settings_here(invocation: Invocation) -> tuple[Path, dict[str, Value]]:
    """How to check and show: as the project does, where the working folder lies in one.

    Elsewhere that folder's own configuration counts, if it has one, and the environment.
    """
    try:
        root = find_project(None).root
    except UsageError:
        root = Path.cwd()
    return root, invocation.settings(root)
