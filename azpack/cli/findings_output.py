"""Findings in the form that the user or the build service wants: for `check` and `inspect`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from azpack import __version__
from azpack.cli.build_service import find_service
from azpack.cli.console import Outcome
from azpack.errors import UsageError
from azpack.report.places import Places

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from azpack.app.config import Value
    from azpack.checks.selection import FailOn
    from azpack.cli.main import Invocation
    from azpack.findings import Finding, Severity

Format = Literal["text", "json", "sarif", "github", "azure"]

_STYLES: dict[Severity, str] = {"error": "red", "warning": "yellow", "info": "cyan"}
# What a build service says of its checkout, in which paths are named.
_CHECKOUTS = ("GITHUB_WORKSPACE", "BUILD_SOURCESDIRECTORY")


def find_format(invocation: Invocation, settings: Mapping[str, Value]) -> Format:
    """The form that was asked for, else the one of the build service, else text.

    The console writes JSON from here on where that is the form.

    Raises:
        UsageError: two forms are asked for.
    """
    chosen = settings.get("format")
    if invocation.arguments.json:
        if invocation.given().get("format", "json") != "json":
            raise UsageError(
                "contradiction", f"--json and --format {chosen} are two forms",
                hint="leave out one of the two",
            )  # fmt: skip
        chosen = "json"
    if chosen is None:
        chosen = find_service(os.environ) or "text"
    if chosen == "json":
        invocation.console.as_json = True
    return cast("Format", chosen)


def project_places(root: Path) -> Places:
    """How files of a project are named in the checkout, or from the working folder."""
    folders = [Path(os.environ[name]) for name in _CHECKOUTS if os.environ.get(name)]
    for folder in (*folders, Path.cwd()):
        relative = os.path.relpath(root.resolve(), folder.resolve())
        if not relative.startswith(".."):
            return Places(base="" if relative == "." else f"{Path(relative).as_posix()}/")
    return Places()


def findings_outcome(
    findings: Sequence[Finding],
    invocation: Invocation,
    settings: Mapping[str, Value],
    *,
    data: Mapping[str, Any],
    places: Places,
    overview: Sequence[str] = (),
    whole: str,
    where: str,
) -> Outcome:
    """The outcome of looking at something.

    `overview` are lines that stand above the findings in text, `whole` is the title for what is
    of no file, `where` what the summary says that was looked at.
    """
    form = find_format(invocation, settings)
    commands: Sequence[str] = ()
    if form == "sarif":
        from azpack.report.sarif import sarif_log

        log = sarif_log(findings, places, version=__version__)
        lines = json.dumps(log, indent=2, ensure_ascii=False).split("\n")
    elif form in ("github", "azure"):
        from azpack.report.annotations import azure_lines, github_lines

        annotated = github_lines if form == "github" else azure_lines
        commands = [*annotated(findings, places)]
        lines = _summary(findings, invocation, where)
    else:
        from azpack.report.text import finding_lines

        def paint(severity: Severity) -> str:
            import sys

            return invocation.console.paint(severity, _STYLES[severity], sys.stdout)

        listed = finding_lines(findings, paint, whole=whole)
        lines = [*overview, *listed, *_summary(findings, invocation, where)]
    return Outcome(
        data={**data, "findings": []},
        lines=lines,
        findings=findings,
        fail_on=cast("FailOn", settings.get("fail-on", "error")),
        listed=True,
        commands=commands,
    )


def _summary(findings: Sequence[Finding], invocation: Invocation, where: str) -> list[str]:
    from azpack.report.text import summary

    if invocation.console.quiet:
        return []
    more = "; 'azpack check --explain CODE' says more" if findings else ""
    return [f"{summary(findings, where)}{more}"]
