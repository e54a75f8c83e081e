"""The build services that azpack may run in, and what it tells them beside its result.

Their agents read standard output and standard error alike, line by line, so a command may stand
on standard error, and the result keeps standard output for itself. Source: Command.cs of
microsoft/azure-pipelines-agent, ActionCommand.cs of actions/runner.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from azpack.report.annotations import azure_data, azure_property, github_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Service = Literal["github", "azure"]


def find_service(environ: Mapping[str, str]) -> Service | None:
    """The service that runs this process, by the variable that each sets for all it starts."""
    if environ.get("GITHUB_ACTIONS", "").lower() == "true":
        return "github"
    if environ.get("TF_BUILD", "").lower() == "true":
        return "azure"
    return None


def error_command(service: Service, message: str) -> str:
    """The command that shows an error where the service shows those of a build."""
    if service == "github":
        return f"::error title=azpack::{github_data(message)}"
    return f"##vso[task.logissue type=error]{azure_data(message)}"


def publish_outputs(
    service: Service, outputs: Mapping[str, str], environ: Mapping[str, str]
) -> Iterator[str]:
    """Make values known to the steps that come after; gives the commands that it takes.

    Raises:
        OSError: the file for them can't be written.
    """
    if service == "azure":
        for name, value in outputs.items():
            listed = f"variable={azure_property(name)};isOutput=true"
            yield f"##vso[task.setvariable {listed}]{azure_data(value)}"
    elif place := environ.get("GITHUB_OUTPUT"):
        end = f"end-{os.urandom(16).hex()}"
        text = "".join(f"{name}<<{end}\n{value}\n{end}\n" for name, value in outputs.items())
        _append(Path(place), text)


def publish_summary(
    service: Service, name: str, markdown: str, environ: Mapping[str, str]
) -> Iterator[str]:
    """Show a page with the build; gives the commands that it takes.

    Raises:
        OSError: the page can't be written.
    """
    if service == "github":
        if place := environ.get("GITHUB_STEP_SUMMARY"):
            _append(Path(place), markdown)
    elif folder := environ.get("AGENT_TEMPDIRECTORY"):
        import tempfile

        # The agent uploads it later, and empties that folder after the job. It shows the name.
        page = Path(tempfile.mkdtemp(prefix="azpack-", dir=folder)) / f"azpack {name}.md"
        _append(page, markdown)
        yield f"##vso[task.uploadsummary]{azure_data(str(page))}"


def _append(path: Path, text: str) -> None:
    with open(path, "ab") as file:
        file.write(text.encode(errors="surrogateescape"))
