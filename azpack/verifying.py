"""`build --verify`: the package that was built, loaded with Azure's own runtime library."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from azpack.package.inspection import Wishes
from azpack.request import make_request
from azpack.stopwatch import Stopwatch
from azpack.worker.app_settings import LOCAL_SETTINGS, read_app_settings
from azpack.worker.verifying import How, Means, verify_package

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azpack.app.project import Project
    from azpack.options import Options
    from azpack.pipeline import Result
    from azpack.progress import Progress
    from azpack.worker.verification import Verification


def verify_build(
    project: Project,
    options: Options,
    result: Result,
    *,
    environ: Mapping[str, str],
    progress: Progress,
) -> Verification:
    """Verify what was built, with the project's indexes and its local.settings.json, if it has one.

    Raises:
        AzpackError: as `verify_package` does; the package stays.
    """
    target = result.target
    settings = project.root / LOCAL_SETTINGS
    request = make_request(project, options, target, environ, progress, Stopwatch())
    with closing(request):
        means = Means(
            indexes=request.indexes(request.requirements()),
            store=request.store,
            environ=environ,
            progress=progress,
        )
    how = How(
        wishes=Wishes(python=target.python, functions=target.functions, plan=target.plan),
        settings=read_app_settings(settings) if settings.is_file() else {},
    )
    return verify_package(result.package.path, how, means)
