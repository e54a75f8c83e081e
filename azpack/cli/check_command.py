"""`azpack check`."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from azpack.app.project import find_project
from azpack.checks.project import check_project
from azpack.checks.rules import load_rules
from azpack.checks.selection import Selection, parse_codes
from azpack.cli.console import Outcome, counted
from azpack.cli.findings_output import findings_outcome, project_places
from azpack.dependencies import recall_files
from azpack.errors import UsageError
from azpack.package.manifest import target_table
from azpack.pipeline import collect_project
from azpack.progress import Progress
from azpack.report.text import rule_lines
from azpack.request import make_request
from azpack.stopwatch import Stopwatch

if TYPE_CHECKING:
    from azpack.cli.main import Invocation


def run(invocation: Invocation) -> Outcome:
    """Check a project, or explain a rule."""
    if invocation.arguments.explain:
        return _explain(invocation.arguments.explain)
    project = find_project(invocation.project)
    settings = invocation.settings(project.root)
    options = invocation.options_from(settings)
    target, files = collect_project(project, options)
    request = make_request(project, options, target, os.environ, Progress(), Stopwatch())
    findings = check_project(
        files, target, Selection.from_settings(settings), brought=recall_files(request)
    )
    return findings_outcome(
        findings,
        invocation,
        settings,
        data={"target": target_table(target), "files": len(files.included)},
        places=project_places(project.root),
        whole="the app",
        where=counted(len(files.included), "file"),
    )


def _explain(code: str) -> Outcome:
    rule = load_rules().get(code.upper())
    if rule is None:
        parse_codes([code], "--explain")
        raise UsageError(
            "unknown-rule",
            f"{code} is the beginning of several codes",
            hint="docs/rules.md lists them",
        )
    return Outcome(data=asdict(rule), lines=tuple(rule_lines(rule)))
