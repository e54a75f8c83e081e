"""The road from a project's folder to a zip: the stages in a row."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azpack import __version__
from azpack.app.collect import collect_files
from azpack.atomic import replacing
from azpack.dependencies import (
    LOCK_NAME,
    Request,
    find_dependencies,
    locate_distributions,
    renew_lock,
)
from azpack.errors import UsageError
from azpack.findings import Finding
from azpack.outputs import find_output, written_paths
from azpack.package.assemble import assemble, zip_timestamp
from azpack.package.manifest import companions_of, make_manifest, write_companions
from azpack.stopwatch import Stopwatch
from azpack.target.plans import find_publishing
from azpack.target.target import find_target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from azpack.app.collect import FileSet
    from azpack.app.project import Project
    from azpack.deps.distribution import Distribution
    from azpack.deps.lock import Lock, LockedDistribution
    from azpack.options import Options
    from azpack.package.assemble import Package
    from azpack.package.segment import Collision
    from azpack.progress import Progress
    from azpack.target.target import Target

_WARNED_BEFORE_END = 183 * 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What `build` made: the package, how, from what, and what it found on the way.

    `timings` are seconds by stage; `manifest` is None where no companions were written; `source`
    is the file that the dependencies were taken from, empty where there is none.
    """

    package: Package
    manifest: Path | None
    mode: str
    mode_reason: str
    target: Target
    distributions: tuple[Distribution, ...]
    files: FileSet
    findings: tuple[Finding, ...]
    timings: Mapping[str, float]
    settings: Mapping[str, str]
    source: str


def build(
    project: Project,
    options: Options,
    *,
    output: Path,
    environ: Mapping[str, str],
    progress: Progress,
    companions: bool = True,
) -> Result:
    """Build the package of a function app at `output`, with its companions beside it.

    Raises:
        AzpackError: of the class for the exit code; `output` is then as it was.
    """
    clock = Stopwatch()
    mode, mode_reason = choose_mode(options.mode)
    timestamp = zip_timestamp(environ)
    with clock.stage("collect"):
        target = _target(project, options)
        files = _files(project, options, output=output, mode=mode)
        _check_files(files, mode, progress)
    segment = None
    distributions: tuple[Distribution, ...] = ()
    source = ""
    if mode != "none":
        request = _request(project, options, target, environ, progress, clock)
        if (found := find_dependencies(request, timestamp=timestamp)) is not None:
            distributions, segment, source = found.distributions, found.segment, found.source
    with clock.stage("assemble"):
        package = assemble(
            project.root,
            files.included,
            segment,
            output,
            timestamp=timestamp,
            checksum=options.checksum,
        )
    beside = companions_of(output)
    publishing = find_publishing(target.plan, package=output.name)
    if companions:
        manifest = make_manifest(
            package,
            version=__version__,
            mode=mode,
            mode_reason=mode_reason,
            target=target,
            distributions=distributions,
            publishing=publishing,
        )
        write_companions(beside, manifest, package)
    collisions = segment.collisions if segment is not None else ()
    return Result(
        package=package,
        manifest=beside.manifest if companions else None,
        mode=mode,
        mode_reason=mode_reason,
        target=target,
        distributions=distributions,
        files=files,
        findings=(*support_findings(target), *map(_collision_finding, collisions)),
        timings=clock.timings,
        settings=publishing.settings,
        source=source,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What `build` would do: each distribution with the index it comes from."""

    output: Path
    mode: str
    mode_reason: str
    target: Target
    files: FileSet
    distributions: tuple[tuple[LockedDistribution, str | None], ...]
    findings: tuple[Finding, ...]


def plan(
    project: Project, options: Options, *, environ: Mapping[str, str], progress: Progress
) -> Plan:
    """Decide all that `build` decides, and write nothing."""
    mode, mode_reason = choose_mode(options.mode)
    output = find_output(project, options)
    target = _target(project, options)
    files = _files(project, options, output=output, mode=mode)
    _check_files(files, mode, progress)
    distributions: tuple[tuple[LockedDistribution, str | None], ...] = ()
    if mode != "none":
        request = _request(project, options, target, environ, progress, Stopwatch())
        distributions = tuple(locate_distributions(request))
    return Plan(
        output=output,
        mode=mode,
        mode_reason=mode_reason,
        target=target,
        files=files,
        distributions=distributions,
        findings=support_findings(target),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LockResult:
    """What `lock` came to; `written` is False where the lock said the same already."""

    lock: Lock
    target: Target
    paths: tuple[Path, ...]
    written: bool


def lock(
    project: Project,
    options: Options,
    *,
    environ: Mapping[str, str],
    progress: Progress,
    upgrade: bool = False,
    upgrade_packages: Sequence[str] = (),
    requirements_txt: Path | None = None,
) -> LockResult:
    """Resolve for the target and write pylock.toml, and the same pins in pip's format.

    With `options.locked` the lock is not written: it must fit.

    Raises:
        UsageError: the project lists no dependencies.
        ResolutionError: they can't be resolved, or `locked` and the lock does not fit.
        UnreachableError: an index does not answer, or refuses.
    """
    from azpack.deps.lock import lock_text, requirements_text

    target = _target(project, options)
    request = _request(project, options, target, environ, progress, Stopwatch())
    found = renew_lock(request, upgrade=upgrade, upgrade_packages=upgrade_packages)
    texts = {project.root / LOCK_NAME: lock_text(found, root=project.root)}
    if options.locked:
        texts = {}
    if requirements_txt is not None:
        _refuse_own_source(requirements_txt, project.root, found)
        texts[requirements_txt.absolute()] = requirements_text(found, root=project.root)
    written = False
    for path, text in texts.items():
        if not path.is_file() or path.read_bytes() != text.encode():
            option = "" if path.name == LOCK_NAME else "--requirements-txt"
            with replacing(path, option=option) as file:
                file.write(text.encode())
            written = True
    paths = tuple(texts) or (project.root / LOCK_NAME,)
    return LockResult(lock=found, target=target, paths=paths, written=written)


def _refuse_own_source(path: Path, root: Path, found: Lock) -> None:
    """What was read must not be overwritten by what it came to."""
    for file in (*found.files, LOCK_NAME):
        if path.resolve() == (root / file).resolve():
            raise UsageError(
                "overwrites-requirements",
                f"{path} is what the lock is made from, or the lock",
                hint="name another file after --requirements-txt",
            )


def _target(project: Project, options: Options) -> Target:
    return find_target(
        project.root,
        python=options.python,
        origin=options.python_origin,
        functions=options.functions_version,
        plan=options.plan,
    )


def _files(project: Project, options: Options, *, output: Path, mode: str) -> FileSet:
    return collect_files(
        project.root,
        excludes=options.exclude,
        outputs=written_paths(project, output),
        keep_python_packages=mode == "none",
    )


def _check_files(files: FileSet, mode: str, progress: Progress) -> None:
    """Refuse, or doubt, what can't run whatever is in the files."""
    if "host.json" not in files.included:
        raise UsageError(
            "no-host-json",
            ".funcignore leaves out host.json, without which Azure finds no function",
            hint="'azpack files --ignored --explain' names the rule",
        )
    if mode == "none" and not any(path.startswith(".python_packages/") for path in files.included):
        progress.warn("there is no .python_packages: the package will have no dependencies")


def _request(
    project: Project,
    options: Options,
    target: Target,
    environ: Mapping[str, str],
    progress: Progress,
    clock: Stopwatch,
) -> Request:
    return Request(
        root=project.root,
        target=target,
        options=options,
        environ=environ,
        progress=progress,
        clock=clock,
    )


def choose_mode(mode: str) -> tuple[str, str]:
    """The mode that is built in, and the reason for it.

    Raises:
        UsageError: azpack can't build in that mode yet.
    """
    if mode == "auto":
        return "local", "wheels come from the index; what has none is built on this machine"
    if mode in ("local", "none"):
        return mode, "asked for"
    raise UsageError(
        "not-there-yet",
        f"mode {mode} is not there yet",
        hint="the modes are auto, local and none",
    )


def support_findings(target: Target) -> tuple[Finding, ...]:
    """AZP112, where the Python version's support has ended or ends within six months."""
    # ISO dates compare as text; the module datetime would cost more than all the rest of this.
    now = time.time()
    today, soon = (
        time.strftime("%Y-%m-%d", time.gmtime(moment)) for moment in (now, now + _WARNED_BEFORE_END)
    )
    end = target.end_of_support
    if soon < end:
        return ()
    when = f"ended on {end}" if end <= today else f"ends on {end}"
    return (
        Finding(
            code="AZP112",
            severity="warning",
            message=f"support for Python {target.python} on Azure Functions {when}",
            hint="move the app to a newer Python; 'azpack runtimes' lists them",
        ),
    )


def _collision_finding(collision: Collision) -> Finding:
    return Finding(
        code="AZP109",
        severity="warning",
        message=f"{collision.kept} and {collision.dropped} both bring {collision.path}, with "
        f"different bytes; the package has that of {collision.kept}",
        path=collision.path,
        hint="it is harmless where neither needs the file, such as a stray tests folder",
    )
