"""Findings as the annotations of GitHub Actions and of Azure Pipelines, and text that is none.

Source: Command.cs of microsoft/azure-pipelines-agent, ActionCommand.cs of actions/runner.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from azpack.package.oddities import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from azpack.findings import Finding
    from azpack.report.places import Places

# `##[` and `##vso[` are looked for anywhere in a line, by Azure's agent as the culture compares, to
# which characters without width are nothing.
_NOTHING = r"[^\w\s#\[]*"
_COMMAND_ANYWHERE = re.compile(r"#(?=_#_(?:v_s_o_)?\[)".replace("_", _NOTHING))
_COMMAND_AT_START = re.compile(r"^(\s*):(?=:)", re.MULTILINE)
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
        message = github_data(places.text_of(finding))
        yield f"::{_GITHUB_LEVELS[finding.severity]} {listed}::{message}"


def github_data(text: str) -> str:
    """Text as it may stand behind the command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _github_property(text: str) -> str:
    return github_data(text).replace(":", "%3A").replace(",", "%2C")


def azure_lines(findings: Iterable[Finding], places: Places) -> Iterator[str]:
    """Logging commands: `##vso[task.logissue type=…;sourcepath=…;linenumber=…;code=…]message`.

    There is no type below a warning: an info is a plain line. Escaped as by taskcommand.ts of
    azure-pipelines-task-lib: `%AZP25` is what the agent turns into a percent sign.
    """
    for finding in findings:
        message = azure_data(f"{finding.code}: {places.text_of(finding)}")
        if finding.severity == "info":
            text = f"{places.file_of(finding)}: {finding.code}: {places.text_of(finding)}"
            yield without_commands(printable(text))
            continue
        properties = {"type": finding.severity, "sourcepath": places.file_of(finding)}
        if line := places.line_of(finding):
            properties["linenumber"] = str(line)
        properties["code"] = finding.code
        listed = ";".join(f"{name}={azure_property(text)}" for name, text in properties.items())
        yield f"##vso[task.logissue {listed}]{message}"


def azure_data(text: str) -> str:
    """Text as it may stand behind the command."""
    return text.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")


def azure_property(text: str) -> str:
    """Text as it may stand within the command."""
    return azure_data(text).replace("]", "%5D").replace(";", "%3B")


def without_commands(text: str) -> str:
    """The text with what a service would take for a command parted by a space.

    File names, and what a build back end prints, may be anybody's.
    """
    return _COMMAND_AT_START.sub(r"\1: ", _COMMAND_ANYWHERE.sub("# ", text))


def without_commands_json(text: str) -> str:
    """The same for JSON, which means what it meant."""
    return _COMMAND_ANYWHERE.sub(r"\\u0023", text)
