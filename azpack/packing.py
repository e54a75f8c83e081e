"""Writing a package, and what would fail on Azure: in the project before, in the package after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azpack.checks.remembered import (
    BuiltPackage,
    Checked,
    check_package_once,
    check_project_once,
)
from azpack.checks.selection import Selection
from azpack.checks.support import support_findings
from azpack.errors import FindingsError
from azpack.package.assemble import assemble

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from azpack.app.collect import FileSet
    from azpack.findings import Finding
    from azpack.options import Options
    from azpack.package.assemble import Package
    from azpack.pipeline import Contents
    from azpack.request import Request

# Rules of versions: of a list they say what may be, of a package what is.
_OF_VERSIONS = ("AZP402", "AZP406", "AZP408", "AZP409")


def check_first(request: Request, files: FileSet) -> Checked:
    """What is to be said of the project, unless that is not wanted."""
    if request.options.no_check:
        return Checked(findings=())
    selection = selection_of(request.options)
    with request.clock.stage("check"):
        return check_project_once(files, request.target, selection, request.store)


def pack(
    request: Request,
    files: FileSet,
    contents: Contents,
    checked: Checked,
    output: Path,
    *,
    timestamp: int,
) -> tuple[Package, tuple[Finding, ...]]:
    """Write the package, and check it before it takes its place; `checked` is its project.

    Returns:
        The package, and all that was found.

    Raises:
        FindingsError: what was found would keep the package from running; `output` is as it was.
        FileError: a file can't be read, or changes meanwhile, or the zip can't be written.
    """
    findings = all_findings(request, checked.findings, contents.findings)
    refuse_errors(findings)

    def accept(fd: int) -> None:
        nonlocal findings
        built = BuiltPackage(
            path=output, fd=fd, files=files, target=request.target,
            segment=contents.segment.key if contents.segment is not None else "",
            written=contents.written, overrides=contents.overrides,
            is_remote=contents.remote is not None,
        )  # fmt: skip
        found = _check_package(request, built, checked)
        before = _only_of_project(checked.findings, found)
        findings = all_findings(request, before, (*found, *contents.findings))
        refuse_errors(findings)

    with request.clock.stage("assemble"), request.progress.stage("assemble"):
        package = assemble(
            files,
            contents.segment,
            output,
            timestamp=timestamp,
            checksum=request.options.checksum,
            written=contents.written,
            compiled=contents.app.sources if contents.app is not None else {},
            accept=None if request.options.no_check else accept,
        )
        request.progress.advance(package.size)
    return package, findings


def _check_package(request: Request, built: BuiltPackage, before: Checked) -> tuple[Finding, ...]:
    with request.clock.stage("check"):
        checked = check_package_once(built, before, selection_of(request.options), request.store)
        checked.remember(request.store)
    return checked.findings


def _only_of_project(
    of_project: Sequence[Finding], of_package: Sequence[Finding]
) -> tuple[Finding, ...]:
    """What was found of the project, but for what the package shows anew."""
    said = {(finding.code, finding.path, finding.line) for finding in of_package}
    return tuple(
        finding
        for finding in of_project
        if finding.code not in _OF_VERSIONS
        and (finding.code, finding.path, finding.line) not in said
    )


def all_findings(
    request: Request, of_project: Sequence[Finding], others: Sequence[Finding]
) -> tuple[Finding, ...]:
    """All that was found, of the target, the project and its dependencies, each once."""
    of_target = selection_of(request.options).filter(support_findings(request.target))
    return tuple(dict.fromkeys((*of_target, *of_project, *others)))


def selection_of(options: Options) -> Selection:
    """The rules that the options choose."""
    return Selection.from_settings(
        {
            "select": options.select,
            "ignore": options.ignore,
            "per-file-ignores": options.per_file_ignores,
        }
    )


def refuse_errors(findings: Sequence[Finding]) -> None:
    """End a build that would make a package that does not run.

    Raises:
        FindingsError: there are errors among the findings.
    """
    if any(finding.severity == "error" for finding in findings):
        raise FindingsError(findings)
