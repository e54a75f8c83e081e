"""`azpack build`."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azpack.app.project import find_project
from azpack.cli.console import Outcome, counted, folded, format_size
from azpack.errors import UsageError
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


def run(invocation: Invocation) -> Outcome | None:
    """Build, or with `--dry-run` say what would be built."""
    project = find_project(invocation.project)
    options = invocation.options(project.root)
    if invocation.arguments.dry_run:
        from azpack.cli.dry_run import show_plan

        return show_plan(project, options, invocation.console)
    if options.output == _STANDARD_OUTPUT:
        return _to_standard_output(project, options, invocation)
    output = find_output(project, options)
    result = build(
        project, options, output=output, environ=os.environ, progress=invocation.console.progress()
    )
    lines = [str(result.package.path)] if invocation.console.quiet else _lines(result, invocation)
    return Outcome(data=_data(result), lines=lines, findings=result.findings)


def _to_standard_output(
    project: Project, options: Options, invocation: Invocation
) -> Outcome | None:
    import shutil
    import tempfile

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
        f"  contents  {contents}",
        *_tailoring(result),
        *_mode(result),
        (
            f"  target    Functions {target.functions}, Python {target.python} "
            f"({target.reason}), glibc {target.glibc}"
        ),
        f"  digest    {package.content_digest}",
    ]
    if package.sha256:
        lines.append(f"  sha256    {package.sha256}")
    if result.manifest is not None:
        lines.append(f"  manifest  {shown_path(result.manifest)}")
    return [*lines, *_publishing(result)]


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


def _publishing(result: Result) -> Iterator[str]:
    """The app settings that matter, and the command; all commands are in the manifest."""
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
    if publishing.settings:
        yield f"  settings  {settings_file} has what must be set:"
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
