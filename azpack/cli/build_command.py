"""`azpack build`."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azpack.app.project import find_project
from azpack.cli.build_service import publish_outputs
from azpack.cli.console import Outcome, counted, folded, format_size
from azpack.cli.findings_output import project_places
from azpack.errors import AzpackError, UsageError
from azpack.outputs import find_output
from azpack.package.manifest import (
    bytecode_table,
    companions_of,
    left_out_table,
    target_table,
)
from azpack.pipeline import build
from azpack.target.plans import find_publishing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.app.project import Project
    from azpack.cli.main import Invocation
    from azpack.options import Options
    from azpack.pipeline import Result
    from azpack.remote import RemoteBuild

_STANDARD_OUTPUT = Path("-")
_COLUMNS, _LABEL = 80, 12


def run(invocation: Invocation) -> Outcome:
    """Build, or with `--dry-run` say what would be built."""
    arguments = invocation.arguments
    if arguments.all or len(arguments.projects) > 1:
        from azpack.cli.several import build_several, named_projects

        projects = named_projects(arguments.projects, below=arguments.all)
        return build_several(projects, invocation, _build)
    project = find_project(Path(arguments.projects[0]) if arguments.projects else None)
    return _build(project, invocation.options(project.root), invocation)


def _build(project: Project, options: Options, invocation: Invocation) -> Outcome:
    if invocation.arguments.dry_run:
        from azpack.cli.dry_run import show_plan

        return show_plan(project, options, invocation.console)
    if options.output == _STANDARD_OUTPUT:
        return _to_standard_output(project, options, invocation)
    invocation.console.places = project_places(project.root)
    output = find_output(project, options)
    result = build(
        project, options, output=output, environ=os.environ, progress=invocation.console.progress()
    )
    _tell_service(result, invocation)
    lines = [str(result.package.path)] if invocation.console.quiet else _lines(result, invocation)
    outcome = Outcome(data=_data(result), lines=lines, findings=result.findings)
    return _verified(outcome, project, options, result, invocation) if options.verify else outcome


def _verified(
    outcome: Outcome, project: Project, options: Options, result: Result, invocation: Invocation
) -> Outcome:
    """The outcome with the verdict on the package, which stays whatever that is."""
    from azpack.cli.verify_command import shown_lines
    from azpack.verifying import verify_build
    from azpack.worker.verification import verification_table

    progress = invocation.console.progress()
    try:
        found = verify_build(project, options, result, environ=os.environ, progress=progress)
    except AzpackError as error:
        error.hint = (
            f"{error.hint}\nthe package is written: {shown_path(result.package.path)}".strip()
        )
        raise
    failing = found.verdict != "passed"
    lines = list(outcome.lines)
    if not invocation.console.quiet:
        lines += ["", *shown_lines(found, invocation)]
        lines += [f"the package stays: {shown_path(result.package.path)}"] if failing else []
    elif failing:
        lines.append(found.verdict)
    data = {**outcome.data, "verification": verification_table(found)}
    return replace(outcome, data=data, lines=lines, failing=failing)


def _tell_service(result: Result, invocation: Invocation) -> None:
    """Make known to the steps that come after where the package is."""
    service = invocation.console.service
    if service is None:
        return
    outputs = {"packagePath": str(result.package.path)}
    if result.package.sha256 is not None:
        outputs["packageSha256"] = result.package.sha256
    for line in publish_outputs(service, outputs, os.environ):
        invocation.console.command(line)


def _to_standard_output(project: Project, options: Options, invocation: Invocation) -> Outcome:
    import shutil
    import tempfile

    if options.verify:
        raise UsageError(
            "two-results", "--verify would also write to standard output",
            hint="name a file for the zip",
        )  # fmt: skip
    if invocation.console.as_json:
        raise UsageError(
            "two-results", "--json and --output - would both write to standard output",
            hint="name a file for the zip",
        )  # fmt: skip
    if sys.stdout.isatty():
        raise UsageError(
            "zip-to-terminal", "a zip is not for a terminal",
            hint="send standard output to a file or a program, or name a file with --output",
        )  # fmt: skip
    progress = invocation.console.progress()
    with tempfile.TemporaryDirectory(prefix="azpack-") as folder:
        result = build(
            project,
            options,
            output=Path(folder) / f"{project.name}.zip",
            environ=os.environ,
            progress=progress,
            companions=False,
        )
        with open(result.package.path, "rb") as package:
            shutil.copyfileobj(package, sys.stdout.buffer)
        for name, value in result.app_settings.items():
            progress.note(f"app setting to be set: {name}={value}")
    return Outcome(data={}, lines=(), findings=result.findings)


def _data(result: Result) -> dict[str, Any]:
    package = result.package
    return {
        "package": {
            "path": str(package.path),
            "content_digest": package.content_digest,
            "sha256": package.sha256,
            "size": package.size,
            "uncompressed_size": package.uncompressed_size,
            "entries": package.entries,
        },
        "manifest": str(result.manifest),
        "sbom": str(result.sbom) if result.sbom is not None else None,
        "mode": result.mode,
        "mode_reason": result.mode_reason,
        "target": target_table(result.target),
        "distributions": [asdict(distribution) for distribution in result.contents.distributions],
        "files": {"included": len(result.files.included), "ignored": len(result.files.ignored)},
        **_tailored(result),
        "findings": [],
        "timings": {stage: round(seconds, 4) for stage, seconds in result.timings.items()},
    }


def _tailored(result: Result) -> dict[str, Any]:
    """What --compile and --slim made of it, None where they were not given."""
    compiled, left_out = result.contents.compiled, result.contents.left_out
    return {
        "bytecode": bytecode_table(compiled, result.target) if compiled is not None else None,
        "left_out": left_out_table(left_out) if left_out is not None else None,
    }


def _lines(result: Result, invocation: Invocation) -> list[str]:
    package, target = result.package, result.target
    seconds = sum(result.timings.values())
    head = invocation.console.paint("built", "green", sys.stdout)
    contents = _contents(result)
    packed = f"{format_size(package.size)}, {format_size(package.uncompressed_size)} unpacked"
    lines = [
        f"{head} {shown_path(package.path)} in {seconds:.2f} s",
        f"  size      {packed}, {counted(package.entries, 'entry', 'entries')}",
        *_row("contents", contents),
        *_tailoring(result),
        *_mode(result),
        *_row(
            "target",
            f"Functions {target.functions}, Python {target.python} ({target.reason}), "
            f"glibc {target.glibc}",
        ),
    ]
    if invocation.console.verbosity:
        lines.append(f"  digest    {package.content_digest}")
    if package.sha256:
        lines.append(f"  sha256    {package.sha256}")
    if result.manifest is not None:
        lines.append(f"  manifest  {shown_path(result.manifest)}")
    if result.sbom is not None:
        lines.append(f"  sbom      {shown_path(result.sbom)}")
    return [*lines, *_publishing(result, named=bool(invocation.console.verbosity))]


def _row(label: str, text: str) -> list[str]:
    """A text behind its label, folded where it is wider than the screen."""
    if len(text) <= _COLUMNS - _LABEL:
        return [f"  {label:<{_LABEL - 2}}{text}"]
    from textwrap import wrap

    first, *rest = wrap(text, _COLUMNS - _LABEL, break_long_words=False, break_on_hyphens=False)
    return [f"  {label:<{_LABEL - 2}}{first}", *(" " * _LABEL + line for line in rest)]


def _tailoring(result: Result) -> Iterator[str]:
    """What --compile added, and what --slim left out."""
    if (compiled := result.contents.compiled) is not None:
        modules = f"of {counted(compiled.files, 'module')}, {format_size(compiled.size)} unpacked"
        without = f"; {compiled.uncompiled:,} without" if compiled.uncompiled else ""
        yield f"  bytecode  {modules}{without}"
    if (left_out := result.contents.left_out) is not None:
        files = counted(sum(entry.files for entry in left_out), "file")
        size = format_size(sum(entry.size for entry in left_out))
        of = f" of {counted(len(left_out), 'distribution')}" if left_out else ""
        yield f"  left out  {files}{of}, {size} unpacked"


def _mode(result: Result) -> Iterator[str]:
    """What was built in a container, where there was one."""
    if result.contents.in_container is not None:
        yield f"  mode      {result.mode}, in {result.contents.in_container.image}:"
        yield from folded(result.mode_reason.split())


def _publishing(result: Result, *, named: bool) -> Iterator[str]:
    """The app settings that matter, by name if `named`, and the command; the manifest has all."""
    path = result.package.path
    settings_file = shown_path(companions_of(path).settings)
    publishing = find_publishing(
        result.target.plan,
        mode=result.mode,
        package=shown_path(path),
        settings_file=settings_file,
        python=result.target.python,
        more_settings=result.contents.app_settings,
    )
    where = f", in {companions_of(path).settings.name}" if publishing.settings else ""
    set_ = f"{len(publishing.settings) or 'none'} to be set{where}"
    yield from _row("settings", f"{set_}; {len(publishing.unset)} must not be set")
    if named:
        if publishing.settings:
            yield from folded([f"{name}," for name in publishing.settings])
        yield "  unset     what must not be set:"
        yield from folded([f"{name}," for name in publishing.unset])
    if publishing.deploy:
        command, *options = publishing.deploy.split(" --")
        yield f"  publish   {command} \\"
        yield from folded([f"--{option}" for option in options], end=" \\")
    else:
        yield "  publish   by the commands in the manifest"


def _contents(result: Result) -> str:
    files = counted(len(result.package.files), "file")
    if result.mode == "none":
        return files
    count = len(result.contents.distributions)
    if result.contents.remote is not None:
        return f"{files}; {installed(result.contents.remote, count)}"
    listed = f" of {result.contents.source}" if result.contents.source else ""
    return f"{files} and {counted(count, 'distribution')}{listed}"


def installed(remote: RemoteBuild, count: int) -> str:
    """What the platform installs, in mode remote."""
    if not remote.pinned:
        return "the platform installs from requirements.txt as it is"
    if not count:
        return "the platform installs nothing"
    listed = f" of {remote.source}" if remote.source else ""
    hashes = "with hashes" if remote.hashed else "without hashes"
    return f"the platform installs {counted(count, 'distribution')}{listed}, {hashes}"


def shown_path(path: Path) -> str:
    """A path as short as it can be named from the working folder."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
