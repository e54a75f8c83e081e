"""Findings as the annotations of GitHub Actions and of Azure Pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azpack.package.oddities import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from azpack.findings import Finding
    from azpack.report.places import Places

_GITHUB_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def github_lines(findings: Iterable[Finding], places: Places) -> Iterator[str]:
    """Workflow commands: `::error file=…,line=…,title=…::message`.

    Escaped as by @actions/core, packages/core/src/command.ts.
    """
    for finding in findings:
        properties = {"file": places.file_of(finding)}
        if line := places.line_of(finding):
            properties["line"] = str(line)
        properties["title"] = finding.code
        listed = ",".join(f"{name}={_github_property(text)}" for name, text in properties.items())
        message = _github_data(places.text_of(finding))
        yield f"::{_GITHUB_LEVELS[finding.severity]} {listed}::{message}"


def _github_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _github_property(text: str) -> str:
    return _github_data(text).replace(":", "%3A").replace(",", "%2C")


def azure_lines(findings: Iterable[Finding], places: Places) -> Iterator[str]:
    """Logging commands: `##vso[task.logissue type=…;sourcepath=…;linenumber=…;code=…]message`.

    There is no type below a warning: an info is a plain line. Escaped as by taskcommand.ts of
    azure-pipelines-task-lib: `%AZP25` is what the agent turns into a percent sign.
    """
    for finding in findings:
        if finding.severity == "info":
            yield _plain(f"{places.file_of(finding)}: {finding.code}: {places.text_of(finding)}")
            continue
        message = _azure_data(f"{finding.code}: {places.text_of(finding)}")
        properties = {"type": finding.severity, "sourcepath": places.file_of(finding)}
        if line := places.line_of(finding):
            properties["linenumber"] = str(line)
        properties["code"] = finding.code
        listed = ";".join(f"{name}={_azure_property(text)}" for name, text in properties.items())
        yield f"##vso[task.logissue {listed}]{message}"


def _plain(text: str) -> str:
    """A line that is no command, wherever the agent looks for one."""
    return printable(text).replace("##vso[", "## vso[").replace("##[", "## [")


def _azure_data(text: str) -> str:
    return text.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")


def _azure_property(text: str) -> str:
    return _azure_data(text).replace("]", "%5D").replace(";", "%3B")
