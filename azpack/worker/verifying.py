"""Verifying a package: unpack it, load it with Azure's own library, and judge what came of it."""

from __future__ import annotations

import platform
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azpack.app.functions.reading import DEFAULT_SCRIPT, SCRIPT_SETTING, read_app, route_prefix
from azpack.app.json_text import parse_json
from azpack.deps.interpreters import find_interpreter
from azpack.errors import UsageError
from azpack.package.contents import PackageContents
from azpack.package.detection import detect_target
from azpack.package.inspection import Wishes, inspect_package
from azpack.package.segment import SITE_PACKAGES
from azpack.package.zip_tree import ZipTree
from azpack.target.target import ARCHITECTURE
from azpack.worker import unpacking
from azpack.worker.judging import judge, platform_faults
from azpack.worker.running import Job, run_here
from azpack.worker.runtime import V1, V2, check_runtime_folder, find_runtime, pinned_wheels
from azpack.worker.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from azpack.app.functions import AppModel, Function
    from azpack.deps.index import IndexSettings
    from azpack.package.inspection import Inspection
    from azpack.progress import Progress
    from azpack.store import Store
    from azpack.target.target import Target
    from azpack.worker.in_container import Place
    from azpack.worker.running import Run

ALL_HTTP = "all-http"
_DIRECTIONS = {"in": 0, "out": 1, "inout": 2}
_DATA_TYPES = {"string": 1, "binary": 2, "stream": 3}
_LISTS = ("requirements.txt", "pyproject.toml", "uv.lock", "pylock.toml", "poetry.lock", "Pipfile")


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How to verify.

    `settings` are the app settings that the code sees, `invoke` names of HTTP functions or
    "all-http", `timeout` seconds. `runtime_folder` has the libraries, where they are not to come
    from an index; `place` is a container, None for this machine.
    """

    wishes: Wishes = field(default_factory=Wishes)
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    invoke: tuple[str, ...] = ()
    timeout: float = 60
    runtime_folder: Path | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """Where libraries and interpreters come from, and who is told."""

    indexes: IndexSettings
    store: Store
    environ: Mapping[str, str]
    progress: Progress


def verify_package(path: Path, how: How, means: Means) -> Verification:
    """Load the zip at `path` with Azure's own library, under the Python that it is for.

    This runs the code of the package: what it does when it is imported, and no function but those
    to invoke.

    Raises:
        FileError: the zip can't be read or unpacked.
        UsageError: a setting is wrong, or the image lacks what is needed.
        WheelError, UnreachableError: the libraries, or the engine, can't be had.
    """
    inspection = inspect_package(path, how.wishes)
    start = Verification(
        verdict="unverified", path=path, target=inspection.target, grounds=inspection.grounds,
        faults=platform_faults(inspection),
    )  # fmt: skip
    target = inspection.target
    with ZipTree(path) as package:
        contents = PackageContents(package)
        if contents.prefix:
            return replace(start, verdict="failed")
        reason = _remote(contents, how.wishes) or _cannot(target, how)
        interpreter = None
        if not reason and how.place is None:
            interpreter = find_interpreter(target.python, means.environ)
            reason = "" if interpreter is not None else _no_interpreter(target)
        if reason:
            return replace(start, verdict="failed" if start.faults else "unverified", reason=reason)
        if how.runtime_folder is not None:
            worker = check_runtime_folder(how.runtime_folder)
        else:
            worker = find_runtime(
                target.python, means.indexes, means.store, means.progress, interpreter
            )
        with _private_folder() as folder, means.progress.stage("verify"):
            unpacking.unpack(package, folder / "app")
            model = _model(contents, inspection, how)
            job = _job(contents, model, how, folder, worker)
            run = _run(job, how, means, target, folder, worker, interpreter)
            written = None if how.place else unpacking.find_written(package, folder / "app")
        found = judge(start, run, job, inspection, model, route_prefix(contents.tree))
    if found.verdict != "passed":
        return found
    _check_invoked(how, found)
    if written is not None:
        return replace(found, verdict="unverified", reason=_written_as_root(written))
    return found


def _model(contents: PackageContents, inspection: Inspection, how: How) -> AppModel:
    """The app's functions as they are read without running it, from the script that is set."""
    script = how.settings.get(SCRIPT_SETTING)
    if not script:
        return inspection.app
    return read_app(contents.tree, inspection.target, script=script)


def _remote(contents: PackageContents, wishes: Wishes) -> str:
    """Why the package lacks its dependencies, if it is one that the platform is to complete."""
    if any(path.startswith(".python_packages/") for path in contents.tree.entries):
        return ""
    mode = detect_target(contents, wishes).manifest.get("mode")
    listed = next((name for name in _LISTS if name in contents.tree.entries), "")
    if mode not in ("remote", None) or not listed:
        return ""
    if listed == "requirements.txt":
        lines = contents.tree.read(listed).decode("utf-8", "replace").splitlines()
        if not any(line.strip() and not line.strip().startswith("#") for line in lines):
            return ""
    return (
        f"its dependencies are not in it: the platform is to install what {listed} lists (remote "
        "build); build with another --mode to verify"
    )


def _cannot(target: Target, how: How) -> str:
    """Why this machine can't say what the platform would do, if so."""
    if not pinned_wheels(target.python) and how.runtime_folder is None:
        return f"Azure's runtime library is not known for Python {target.python}"
    if how.place is not None:
        return ""
    machine = {"AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return "this machine does not run Linux with glibc, as Azure does; use --in-docker"
    if machine != ARCHITECTURE:
        return f"this machine is {machine}, and Azure {ARCHITECTURE}; use --in-docker"
    return ""


def _check_invoked(how: How, found: Verification) -> None:
    listed = {it.name for it in found.functions}
    unknown = [name for name in how.invoke if name not in (*listed, ALL_HTTP)]
    if unknown:
        raise UsageError(
            "no-such-function",
            f"--invoke {unknown[0]}: it is none of the functions",
            hint=f"there are {', '.join(sorted(listed))}; {ALL_HTTP} is for all with HTTP",
        )


def _written_as_root(path: str) -> str:
    return (
        f"the app wrote {path} into the package's folder: root may, and on Azure, where it is "
        "read-only, nobody may; verify as another user"
    )


def _no_interpreter(target: Target) -> str:
    return (
        f"there is no Python {target.python} on this machine; install it "
        f"(uv python install {target.python}), or use --in-docker"
    )


@contextmanager
def _private_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="azpack-verify-")).resolve()
    try:
        yield folder
    finally:
        unpacking.remove(folder)


def _job(contents: PackageContents, model: AppModel, how: How, folder: Path, worker: Path) -> Job:
    script = how.settings.get(SCRIPT_SETTING) or DEFAULT_SCRIPT
    if how.place is not None:
        from azpack.worker.in_container import ROOT

        app, there, library = f"{ROOT}/app", ROOT, f"{ROOT}/worker"
    else:
        app, there, library = str(folder / "app"), str(folder), str(worker)
    out = f"{there}/out"
    v1 = [_described(it, app, contents) for it in model.functions if it.model == "v1"]
    return Job(
        app=app,
        packages=f"{app}/{SITE_PACKAGES.rstrip('/')}",
        worker=library,
        library=V2 if script in contents.tree.entries else V1,
        result=f"{out}/result.jsonl",
        faults=f"{out}/faults.txt",
        timeout=how.timeout,
        prefix=route_prefix(contents.tree) or "",
        v1=[row for row in v1 if row["script"]],
        invoke=how.invoke,
        environment=_environment(app, there, how),
    )


def _described(function: Function, app: str, contents: PackageContents) -> dict[str, Any]:
    """A function of a folder as the host tells the worker of it."""
    table = parse_json(contents.tree.read(f"{function.name}/function.json")).value
    named = [it for it in function.bindings if it.name and it.type]
    return {
        "name": function.name,
        "script": f"{app}/{function.script}" if function.script.endswith(".py") else "",
        "entry_point": str(table.get("entryPoint") or ""),
        "bindings": {
            it.name: {
                "type": it.type,
                "direction": _DIRECTIONS.get(it.direction, 0),
                "data_type": _DATA_TYPES.get(str(it.settings.get("dataType")).lower(), 0),
            }
            for it in named
        },
        "listed": [
            {**it.settings, "name": it.name, "type": it.type, "direction": it.direction}
            for it in named
        ],
    }


def _environment(app: str, there: str, how: How) -> dict[str, str]:
    """What the app sees: the platform's usual variables, the settings, nothing of this machine's.

    Those of the site's name, its instance and its storage are left to the settings.
    """
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": f"{there}/home",
        "TMPDIR": f"{there}/tmp",  # noqa: S108  # in a private folder
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "FUNCTIONS_EXTENSION_VERSION": "~4",
        "AzureWebJobsScriptRoot": app,
        **how.settings,
    }


def _run(
    job: Job, how: How, means: Means, target: Target, folder: Path, worker: Path,
    interpreter: Path | None,
) -> Run:  # fmt: skip
    for name in ("home", "tmp", "out"):
        (folder / name).mkdir()
    if how.place is None:
        assert interpreter is not None  # noqa: S101  # it was looked for
        return run_here(job, interpreter, folder)
    from azpack.worker.in_container import run_in_container

    return run_in_container(
        job, how.place, python=target.python, app=folder / "app", worker=worker, folder=folder,
        environ=means.environ, progress=means.progress,
    )  # fmt: skip
