"""The public functions: from a project's folder to a package, a stage each.

Each takes the values of those before it, and `options`: without them, those of the project, as its
configuration and the variables `AZPACK_*` have them. What goes wrong is an `AzpackError`. What is
not public is imported only when it is called, so that to import azpack takes no time.
"""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from azpack.app.collect import FileSet
    from azpack.app.project import Project
    from azpack.deps.distribution import Wheel
    from azpack.deps.lock import Lock
    from azpack.options import Options
    from azpack.package.assemble import Package
    from azpack.package.inspection import Inspection
    from azpack.pipeline import Result
    from azpack.request import Request
    from azpack.target.target import Target

    AnyPath = str | os.PathLike[str]

__all__ = [
    "assemble",
    "build",
    "collect_files",
    "find_target",
    "inspect_package",
    "load_options",
    "load_project",
    "obtain_wheels",
    "resolve",
]


def load_project(path: AnyPath | None = None) -> Project:
    """The project in the folder that holds host.json: `path`, or the working folder or above it.

    Raises:
        UsageError: there is no host.json there.
    """
    from azpack.app.project import find_project

    return find_project(Path(path) if path is not None else None)


def load_options(project: Project, **changes: Any) -> Options:
    """The options of a project, with `changes` by the names that `Options` has for them.

    Raises:
        UsageError: the configuration, or an `AZPACK_*` variable, can't be understood.
        TypeError: there is no option of a name.
    """
    from azpack.app.config import load_settings
    from azpack.options import Options

    options = Options.from_settings(load_settings(project.root, os.environ))
    if options.python is not None:
        options = replace(options, python_origin="the configuration")
    return replace(options, **changes)


def find_target(project: Project, options: Options | None = None) -> Target:
    """What Azure will run: the version of Python, its tags in order of preference, glibc, the plan.

    Raises:
        UsageError: no such runtime, or none that azpack makes packages for.
    """
    from azpack.request import target_of

    return target_of(project, options or load_options(project))


def collect_files(project: Project, options: Options | None = None) -> FileSet:
    """The project's files that go along, sorted, and by which rule each of the others does not.

    Raises:
        UsageError: `.funcignore` is no text, or a folder of `include` can't be packed.
        FileError: a file can't be read, or has no place in a package.
    """
    from azpack.pipeline import collect_project

    _, files = collect_project(project, options or load_options(project))
    return files


def resolve(project: Project, target: Target, options: Options | None = None) -> Lock:
    """The exact distributions for the target, with hashes: of the lock, where it fits, else anew.

    Nothing is written. A project that lists no dependencies has an empty lock.

    Raises:
        ResolutionError: there is no answer, or the lock does not fit and must.
        UnreachableError: an index does not answer, or refuses the credentials.
    """
    from azpack.dependencies import locate_distributions
    from azpack.deps.lock import Lock

    with _request(project, target, options or load_options(project)) as request:
        located = locate_distributions(request)
    if located is not None:
        return located.lock
    return Lock(distributions=(), target=target.record(), requirements_digest="", files=())


def obtain_wheels(
    project: Project, lock: Lock, target: Target, options: Options | None = None
) -> tuple[Wheel, ...]:
    """The wheel of each distribution of the lock, in its order, checked and in the store.

    What has no wheel is built, on this machine or in a container, as the options' mode has it.

    Raises:
        WheelError: a wheel can't be had, checked or built; all of them are named.
        UnreachableError: an index or the container engine does not answer.
    """
    from azpack.dependencies import obtain

    with _request(project, target, options or load_options(project)) as request:
        return obtain(request, request.requirements(), lock).wheels


def assemble(
    files: FileSet,
    wheels: Sequence[Wheel],
    target: Target,
    output: AnyPath,
    options: Options | None = None,
) -> Package:
    """Write the zip: the same bytes for the same files, wheels and target.

    `output` is replaced when the zip is whole. Times in it are 1980-01-01 or SOURCE_DATE_EPOCH.

    Raises:
        WheelError: two wheels can't be in one package.
        FileError: a file can't be read, or changes meanwhile, or the zip can't be written.
    """
    from azpack.options import Options
    from azpack.package import assemble as module
    from azpack.package.segment import make_segment
    from azpack.store import Store, default_cache_folder

    options = options or Options()
    timestamp = module.zip_timestamp(os.environ)
    segment = None
    if wheels:
        store = Store((options.cache_dir or default_cache_folder()).absolute())
        _, segment = make_segment(store, wheels, python=target.full_version, timestamp=timestamp)
    return module.assemble(
        files, segment, Path(output).absolute(), timestamp=timestamp, checksum=options.checksum
    )


def inspect_package(path: AnyPath) -> Inspection:
    """What is in a zip, whoever made it, and what is wrong with it; nothing is unpacked or run.

    Raises:
        FileError: it can't be read, or is damaged.
    """
    from azpack.package.inspection import inspect_package

    return inspect_package(Path(path))


def build(
    project: Project, output: AnyPath | None = None, options: Options | None = None
) -> Result:
    """All of that, as `azpack build` does it: with the checks, the manifest and the app settings.

    Raises:
        FindingsError: what was found would keep the package from running.
        AzpackError: of the class for what failed; the package that was there is then as it was.
    """
    from azpack import pipeline
    from azpack.outputs import find_output
    from azpack.progress import Progress

    options = options or load_options(project)
    if output is not None:
        options = replace(options, output=Path(output))
    return pipeline.build(
        project,
        options,
        output=find_output(project, options),
        environ=os.environ,
        progress=Progress(),
    )


def _request(project: Project, target: Target, options: Options) -> AbstractContextManager[Request]:
    from azpack.progress import Progress
    from azpack.request import make_request
    from azpack.stopwatch import Stopwatch

    made = make_request(project, options, target, os.environ, Progress(), Stopwatch())
    return closing(made)
