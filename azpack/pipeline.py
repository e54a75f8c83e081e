"""The road from a project's folder to a zip: the stages in a row."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azpack import __version__
from azpack.app.collect import collect_files
from azpack.dependencies import (
    find_dependencies,
    locate_distributions,
)
from azpack.errors import UsageError
from azpack.findings import Finding
from azpack.outputs import find_output, written_paths
from azpack.package.assemble import zip_timestamp
from azpack.package.manifest import (
    check_companions,
    companions_of,
    make_manifest,
    write_companions,
)
from azpack.packing import all_findings, check_first, pack, refuse_errors, selection_of
from azpack.request import Request, make_request, target_of
from azpack.sbom import check_sbom, write_sbom
from azpack.stopwatch import Stopwatch
from azpack.target.plans import find_publishing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from azpack.app.collect import FileSet
    from azpack.app.project import Project
    from azpack.dependencies import InContainer
    from azpack.deps.distribution import Distribution
    from azpack.deps.lock import LockedDistribution
    from azpack.options import Options
    from azpack.package.app_bytecode import AppBytecode
    from azpack.package.assemble import Package
    from azpack.package.cuts import Compiled, LeftOut
    from azpack.package.segment import Collision, Segment
    from azpack.progress import Progress
    from azpack.remote import RemoteBuild
    from azpack.target.plans import Publishing
    from azpack.target.target import Target

_SHOWN_NAMES = 8
# Why an option has no place in a mode.
_NOT_FOR = {
    ("--compile", "remote"): "the platform installs the dependencies",
    ("--slim", "remote"): "the platform installs the dependencies",
    ("--slim", "none"): ".python_packages is packed as it is",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What goes into a package beside the project's files, or is left to the platform.

    `source` is the file that lists the dependencies, empty where there is none; `remote` is what
    the platform is to install, in mode remote, and `in_container` what was built in a container.
    `overrides` are requirements that stand in the place of what distributions ask for, `app` is the
    app's own bytecode, where bytecode is asked for.
    """

    distributions: tuple[Distribution, ...] = ()
    segment: Segment | None = None
    source: str = ""
    remote: RemoteBuild | None = None
    in_container: InContainer | None = None
    overrides: tuple[str, ...] = ()
    app: AppBytecode | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def written(self) -> Mapping[str, bytes]:
        """The files that azpack adds to the project's, or puts in their place, by path."""
        if self.remote is not None:
            return self.remote.written
        return self.app.written if self.app is not None else {}

    @property
    def compiled(self) -> Compiled | None:
        """All bytecode that was made for the package; None where none is asked for."""
        of_dependencies = self.segment.compiled if self.segment is not None else None
        if self.app is None or of_dependencies is None:
            return self.app.compiled if self.app is not None else None
        return self.app.compiled.joined(of_dependencies)

    @property
    def left_out(self) -> tuple[LeftOut, ...] | None:
        """What was left out of each distribution; None where that is not asked for."""
        return self.segment.left_out if self.segment is not None else None

    @property
    def app_settings(self) -> Mapping[str, str]:
        """The app settings that the platform needs to install the dependencies."""
        return self.remote.app_settings if self.remote is not None else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What `build` made: the package, how, from what, and what it found on the way.

    `timings` are seconds by stage; `manifest` is None where no companions were written, `sbom`
    where no bill of materials was asked for;
    `app_settings` are all that must be set.
    """

    package: Package
    manifest: Path | None
    sbom: Path | None
    mode: str
    mode_reason: str
    target: Target
    files: FileSet
    contents: Contents
    findings: tuple[Finding, ...]
    timings: Mapping[str, float]
    app_settings: Mapping[str, str]


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
        FindingsError: what was found would keep the package from running.
        AzpackError: of the class for the exit code; `output` is then as it was.
    """
    clock = Stopwatch()
    mode, mode_reason = choose_mode(options)
    timestamp = zip_timestamp(environ)
    beside = companions_of(output)
    if companions:
        check_companions(beside)
    if options.sbom is not None:
        check_sbom(options.sbom, output)
    with clock.stage("collect"):
        target = target_of(project, options)
        files = _files(project, options, output=output, mode=mode)
        _check_files(files, mode, progress)
    with closing(make_request(project, options, target, environ, progress, clock)) as request:
        checked = check_first(request, files)
        refuse_errors(checked.findings)
        contents = _find_contents(request, files, mode, timestamp, checked.findings)
        checked.remember(request.store)
    if contents.in_container is not None:
        mode, mode_reason = "docker", _explain_container(contents, target)
    package, findings = pack(request, files, contents, checked, output, timestamp=timestamp)
    publishing = find_publishing(
        target.plan, mode=mode, package=output.name, settings_file=beside.settings.name,
        python=target.python, more_settings=contents.app_settings,
    )  # fmt: skip
    result = Result(
        package=package, manifest=beside.manifest if companions else None, sbom=options.sbom,
        mode=mode, mode_reason=mode_reason, target=target, files=files, contents=contents,
        findings=findings, timings=clock.timings, app_settings=publishing.settings,
    )  # fmt: skip
    if companions:
        write_companions(beside, _manifest(result, publishing), package)
    if options.sbom is not None:
        with clock.stage("sbom"):
            write_sbom(result, options.sbom, environ)
    return result


def _manifest(result: Result, publishing: Publishing) -> dict[str, Any]:
    return make_manifest(
        result.package,
        version=__version__,
        mode=result.mode,
        mode_reason=result.mode_reason,
        target=result.target,
        distributions=result.contents.distributions,
        publishing=publishing,
        remote=result.contents.remote,
        in_container=result.contents.in_container,
        compiled=result.contents.compiled,
        left_out=result.contents.left_out,
    )


def _find_contents(
    request: Request, files: FileSet, mode: str, timestamp: int, known: Sequence[Finding]
) -> Contents:
    """`known` is what was found already."""
    if mode == "remote":
        remote = _plan_remote(request, files)
        return Contents(
            distributions=remote.distributions,
            source=remote.source,
            remote=remote,
            findings=remote.findings,
        )
    tailoring = app = None
    if request.options.compile or request.options.slim:
        from azpack.compiling import TargetCompiler
        from azpack.tailoring import compile_own, find_tailoring

        compiler = TargetCompiler(request)
        tailoring = find_tailoring(request, files, compiler)
        app = compile_own(request, files, compiler)
    chosen = selection_of(request.options).filter(app.findings) if app is not None else ()
    own = tuple(_new(chosen, known))
    found = None
    if mode != "none":
        found = find_dependencies(request, timestamp=timestamp, tailoring=tailoring)
    if found is None:
        return Contents(app=app, findings=own)
    return Contents(
        distributions=found.distributions,
        segment=found.segment,
        source=found.source,
        in_container=found.in_container,
        overrides=found.overrides,
        app=app,
        findings=(*own, *map(_collision_finding, found.segment.collisions)),
    )


def _new(findings: Sequence[Finding], known: Sequence[Finding]) -> Iterator[Finding]:
    """Findings at places of which the same is not said yet."""
    said = {(finding.code, finding.path) for finding in known}
    return (finding for finding in findings if (finding.code, finding.path) not in said)


def _plan_remote(request: Request, files: FileSet) -> RemoteBuild:
    from azpack.remote import plan_remote_build

    return plan_remote_build(request, files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What `build` would do: each distribution with the index it comes from."""

    output: Path
    mode: str
    mode_reason: str
    target: Target
    files: FileSet
    distributions: tuple[tuple[LockedDistribution, str | None], ...]
    remote: RemoteBuild | None
    findings: tuple[Finding, ...]


def plan(
    project: Project, options: Options, *, environ: Mapping[str, str], progress: Progress
) -> Plan:
    """Decide all that `build` decides, and write nothing."""
    mode, mode_reason = choose_mode(options)
    output = find_output(project, options)
    target, files = collect_project(project, options)
    _check_files(files, mode, progress)
    distributions: tuple[tuple[LockedDistribution, str | None], ...] = ()
    remote = None
    with closing(make_request(project, options, target, environ, progress, Stopwatch())) as request:
        checked = check_first(request, files)
        found: tuple[Finding, ...] = ()
        if mode == "remote":
            remote = _plan_remote(request, files)
            distributions = remote.located
            found = remote.findings
        elif mode != "none" and (located := locate_distributions(request)) is not None:
            distributions = located.with_indexes()
    if sources := [entry.name for entry, _ in distributions if not entry.is_wheel]:
        mode_reason = _foresee(options.mode, sources, len(distributions), target) or mode_reason
    return Plan(
        output=output,
        mode=mode,
        mode_reason=mode_reason,
        target=target,
        files=files,
        distributions=distributions,
        remote=remote,
        findings=all_findings(request, checked.findings, found),
    )


def collect_project(project: Project, options: Options) -> tuple[Target, FileSet]:
    """The target of a project, and the files that would be packed for it."""
    mode, _ = choose_mode(options)
    output = find_output(project, options)
    return target_of(project, options), _files(project, options, output=output, mode=mode)


def _files(project: Project, options: Options, *, output: Path, mode: str) -> FileSet:
    return collect_files(
        project.root,
        excludes=options.exclude,
        includes=options.include,
        outputs=written_paths(project, output, options.sbom),
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


def choose_mode(options: Options) -> tuple[str, str]:
    """The mode that is built in, and the reason for it.

    Raises:
        UsageError: an option is for another mode.
    """
    mode = options.mode
    if options.no_pin and mode != "remote":
        raise UsageError(
            "contradiction", f"--no-pin is for --mode remote, and the mode is {mode}",
            hint="in the other modes the dependencies are in the package",
        )  # fmt: skip
    for option, asked in (("--compile", options.compile), ("--slim", options.slim)):
        if asked and (why := _NOT_FOR.get((option, mode))):
            raise UsageError(
                "contradiction", f"{option} is not for --mode {mode}: {why}",
                hint=f"leave {option} out, or build in another mode",
            )  # fmt: skip
    if mode == "auto":
        return "local", "wheels come from the index; what has none is built on this machine"
    return mode, "asked for"


def _explain_container(contents: Contents, target: Target) -> str:
    """Why there was a container: "2 of 41 distributions have no wheel for …"."""
    names = contents.in_container.distributions if contents.in_container is not None else ()
    count = len(contents.distributions)
    return f"{_without_wheel(names, count, target)}; built in a container"


def _foresee(mode: str, names: Sequence[str], count: int, target: Target) -> str:
    """The same before anything is built."""
    where = {
        "auto": "built on this machine, and in a container what does not fit from here",
        "docker": "built in a container",
        "local": "built on this machine",
    }
    if mode not in where:
        return ""
    return f"{_without_wheel(names, count, target)}; {where[mode]}"


def _without_wheel(names: Sequence[str], count: int, target: Target) -> str:
    shown = ", ".join(names[:_SHOWN_NAMES])
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return (
        f"{len(names)} of {count} distributions {'has' if len(names) == 1 else 'have'} no wheel "
        f"for {target.interpreter_tag} on glibc {target.glibc}: {shown}{more}"
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
