"""`azpack verify`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from azpack.cli.console import Outcome
from azpack.cli.inspect_command import settings_here, target_wishes
from azpack.deps.image import PLATFORM
from azpack.deps.index import find_indexes
from azpack.deps.requirements import locate
from azpack.errors import UsageError
from azpack.report.verdict import verdict_lines
from azpack.store import Store, default_cache_folder
from azpack.worker.app_settings import parse_app_settings, read_app_settings
from azpack.worker.verification import verification_table
from azpack.worker.verifying import How, Means, verify_package

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azpack.cli.main import Invocation
    from azpack.options import Options
    from azpack.worker.in_container import Place
    from azpack.worker.verification import Verdict, Verification

_STYLES: Mapping[Verdict, str] = {"passed": "green", "failed": "red", "unverified": "yellow"}
_NO_NETWORK = "none"


def run(invocation: Invocation) -> Outcome:
    """Load a package with Azure's own library, and say what came of it."""
    arguments = invocation.arguments
    root, settings = settings_here(invocation)
    options = invocation.options_from(settings)
    how = How(
        wishes=target_wishes(invocation),
        settings=_app_settings(arguments.settings, arguments.env),
        invoke=tuple(arguments.invoke),
        timeout=_seconds(arguments.timeout),
        runtime_folder=Path(arguments.runtime_dir) if arguments.runtime_dir else None,
        place=_place(arguments.in_docker, options),
    )
    if how.invoke:
        invocation.console.progress().warn("--invoke runs the functions' code for real")
    means = Means(
        indexes=find_indexes(
            os.environ,
            index_url=options.index_url,
            extra_index_urls=options.extra_index_url,
            find_links=[it if "://" in it else str(locate(root, it)) for it in options.find_links],
            no_index=options.no_index,
            cert=options.cert,
            client_cert=options.client_cert,
        ),
        store=Store((options.cache_dir or default_cache_folder()).absolute()),
        environ=os.environ,
        progress=invocation.console.progress(),
    )
    found = verify_package(Path(arguments.package), how, means)
    return Outcome(
        data=verification_table(found),
        lines=shown_lines(found, invocation),
        failing=found.verdict != "passed",
    )


def shown_lines(found: Verification, invocation: Invocation) -> list[str]:
    """The verification for people, or where quiet is asked for, the verdict alone."""
    if invocation.console.quiet:
        return [found.verdict]

    def paint(verdict: Verdict) -> str:
        return invocation.console.paint(verdict, _STYLES[verdict], sys.stdout)

    return list(verdict_lines(found, paint, verbose=invocation.console.verbosity > 0))


def _place(image: str | None, options: Options) -> Place | None:
    if image is None:
        return None
    from azpack.worker.in_container import Place

    return Place(
        image=image,
        platform=options.docker_platform or PLATFORM,
        network=options.docker_network or _NO_NETWORK,
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 24 * 3600:
        raise UsageError("bad-timeout", f"--timeout is {text!r}", hint="it takes seconds, as 60")
    return seconds


def _app_settings(file: str | None, given: list[str]) -> dict[str, str]:
    """The app settings of the file, then those that are given one by one."""
    return {
        **(read_app_settings(Path(file)) if file else {}),
        **parse_app_settings(given),
    }
