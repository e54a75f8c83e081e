"""What went wrong in a run: each fault with its cause, its place in the app, and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azpack.package.segment import SITE_PACKAGES
from azpack.target.worker import worker_modules
from azpack.worker.running import ended_by, last_place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from azpack.app.functions import AppModel
    from azpack.findings import Finding
    from azpack.target.target import Target
    from azpack.worker.running import Run

# What the library adds to the message of an ImportError.
_ADDED = re.compile(r"\.? Cannot find module\. Please check the requirements\.txt.*\Z", re.DOTALL)
_UNNAMED = re.compile(
    r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'"
)
_MISSING = re.compile(r"No module named '([^']+)'")
_GLIBC = re.compile(r"version `(GLIBC\w*_[\d.]+)' not found")
_NATIVE = re.compile(r"\.(?:(?:cpython-|cp)(\d)(\d+)[\w-]*|[\w-]+)\.(so|pyd)\Z")
_OTHER_FILE = ("wrong ELF class", "invalid ELF header", "cannot open shared object file")
_FUNCTION = re.compile(r"cannot load the (\S+) function")
_FOREIGN_FRAME = re.compile(
    r'(?m)^  File "(?:<frozen |[^"\n]*(?:/importlib/__init__|/driver|/asyncio/\w+)\.py'
    r'|[^"\n]*/azure_functions_runtime(?:_v1)?/)[^\n]*\n(?:    [^\n]*\n)*'
)
_FATAL = re.compile(r"^Fatal Python error: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a package would not run; `code` is that of a rule, or names the kind in kebab case.

    `path` is relative to the package's root. `traceback` is Python's own text, for those who ask
    for more.
    """

    code: str
    message: str
    path: str | None = None
    line: int | None = None
    hint: str = ""
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where faults are looked for: the app's folder as the driver saw it, and what is in it."""

    app: str
    model: AppModel
    paths: Collection[str]
    target: Target
    timeout: float


def of_finding(finding: Finding) -> Fault:
    """The fault that a rule found without running anything."""
    return Fault(
        code=finding.code,
        message=finding.message,
        path=finding.path,
        line=finding.line,
        hint=finding.hint or "",
    )


def find_faults(run: Run, scene: Scene) -> Iterator[Fault]:
    """What went wrong, as far as the run tells."""
    if run.stage("forked"):
        yield _forked(scene)
    raised, index = run.stage("raised"), run.stage("index")
    if raised:
        yield _raised(raised, run, scene)
    elif run.stage("end") is None:
        yield _hung(run, scene) if run.timed_out else _broken_off(run, scene)
    if index:
        if index["error"]:
            yield _exception(index["error"], scene)
        for row in index["functions"]:
            if row.get("error"):
                yield _exception(row["error"], scene, script=_script(row["name"], scene))
    for row in run.stages:
        if row["stage"] == "invocation" and row.get("error"):
            yield _exception(row["error"], scene, during=f"{row['name']}, invoked: ")


def brought_by_worker(run: Run) -> str:
    """The module whose lack alone is what failed, where the worker on Azure brings it; or ""."""
    rows = [*filter(None, (run.stage("index"), run.stage("raised")))]
    rows += [it for row in rows for it in row.get("functions", ())]
    errors = [row["error"] for row in rows if row.get("error")]
    names = [_workers_own(_missing_module(it)) for it in errors]
    return names[0] if names and all(names) else ""


def _workers_own(name: str) -> str:
    """The name of a module, if the worker on Azure brings it, else ""."""
    own = worker_modules() - {"azure_functions_runtime", "azure_functions_runtime_v1"}
    if name.startswith("google.") and not name.startswith("google.protobuf"):
        return ""
    return name if name.partition(".")[0] in own else ""


def _missing_module(error: Mapping[str, Any]) -> str:
    if error.get("type") != "ModuleNotFoundError":
        return ""
    found = _MISSING.search(error["message"])
    return found[1] if found else ""


def _raised(row: Mapping[str, Any], run: Run, scene: Scene) -> Fault:
    error = row["error"]
    invoking = _unanswered(run)
    doing = f"while {invoking} is invoked" if invoking else "while it is loaded"
    if "SystemExit" in error["bases"]:
        path, line = _place(error, scene)
        return Fault(
            code="exit",
            message=f"the app ends the process {doing}: sys.exit({error['message']})",
            path=path, line=line, traceback=error["traceback"],
            hint="the worker would end, be started again, and end again: raise an exception, or "
            "do without",
        )  # fmt: skip
    during = "the worker can't start: " if row["during"] == "worker" else ""
    return _exception(error, scene, during=during)


def _exception(
    error: Mapping[str, Any], scene: Scene, *, during: str = "", script: str | None = None
) -> Fault:
    path, line = _place(error, scene)
    message = _ADDED.sub("", error["message"]).replace(f"{scene.app}/", "")
    if error["type"] in ("SyntaxError", "IndentationError", "TabError") and path:
        message = re.sub(r" \([^()]*, line \d+\)\Z", "", message)
    if path is None and (named := _FUNCTION.search(message)):
        functions = (it for it in scene.model.functions if it.name == named[1])
        function = next(functions, None)
        path, line = (function.script, function.line) if function else (None, None)
    kind = f"{error['type']}: " if error["type"] else ""
    return Fault(
        code=_kebab(error["type"] or "failure"),
        message=f"{during}{kind}{message.strip()}",
        path=path or script, line=line, hint=_hint(error, scene, path),
        traceback=_own_traceback(error["traceback"]),
    )  # fmt: skip


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def _script(name: str, scene: Scene) -> str | None:
    return next((it.script for it in scene.model.functions if it.name == name), None)


def _place(error: Mapping[str, Any], scene: Scene) -> tuple[str | None, int | None]:
    """The innermost place in the app's own files; in a dependency only where there is no other."""
    start = f"{scene.app}/"
    inside = [(path[len(start) :], line) for path, line, _ in error["frames"]
              if path.startswith(start)]  # fmt: skip
    own = [it for it in inside if not it[0].startswith(SITE_PACKAGES)]
    if error["type"] in ("SyntaxError", "IndentationError", "TabError"):
        own = inside
    return (own or inside or [(None, None)])[-1]


def _own_traceback(text: str) -> str:
    """The traceback without the frames of importlib, the library and the driver.

    Of an import error that the library has raised again it is the first one.
    """
    if _ADDED.search(text):
        text = text.partition("\n\nDuring handling of the above exception")[0]
    return _FOREIGN_FRAME.sub("", text).rstrip()


def _hint(error: Mapping[str, Any], scene: Scene, path: str | None) -> str:
    message, kind = error["message"], error["type"]
    if name := _missing_module(error):
        return _missing_hint(name, scene)
    if (found := _UNNAMED.search(message)) and (hint := _native_hint(
        f"{found[2]}.{found[1]}", scene)):  # fmt: skip
        return hint
    if found := _GLIBC.search(message):
        return (
            f"a library needs {found[1]}, and the platform has glibc {scene.target.glibc}: build "
            "with azpack, or see what 'azpack inspect' says of it"
        )
    if "ImportError" in error.get("bases", ()) and any(it in message for it in _OTHER_FILE):
        return (
            f"a file is for another machine or needs a library that is not there: build for "
            f"Python {scene.target.python} on Linux x86_64, and see 'azpack inspect'"
        )
    if kind == "KeyError" and any("environ" in it or "os.py" in it or "<frozen os>" in it
                                  for it, _, _ in error["frames"]):  # fmt: skip
        return (
            f"if it is an app setting, give it with -e {message.strip(chr(39))}=VALUE or "
            "--settings local.settings.json; Azure has to have it too"
        )
    if (kind in ("PermissionError", "OSError") and "Read-only" in message) or "Permission" in kind:
        return "the platform mounts the package read-only: write below tempfile.gettempdir()"
    if "module 'azure.functions' has no attribute" in message:
        return (
            "the package brings an azure-functions that is too old for that: list a newer one, or "
            "none, then the platform's own is used"
        )
    if kind in ("SyntaxError", "IndentationError", "TabError"):
        return f"mend it for Python {scene.target.python}" + (
            "" if path else ", or take a version of the distribution that is for it"
        )
    return ""


def _missing_hint(name: str, scene: Scene) -> str:
    """Why a module is not found: for another Python, in another place, or not there at all."""
    if hint := _native_hint(name, scene):
        return hint
    place = name.replace(".", "/")
    top = f"{place.partition('/')[0]}/__init__.py"
    if "/" in place and top in scene.paths:
        return f"{top} hides whatever else has that name: rename the folder, or remove the file"
    ends = (f"/{place}.py", f"/{place}/__init__.py")
    elsewhere = [it for it in scene.paths if f"/{it}".endswith(ends)]
    if elsewhere:
        return (
            f"there is {elsewhere[0]}, where it is not looked for: dependencies belong in "
            f"{SITE_PACKAGES.rstrip('/')}, the app's own modules at the root"
        )
    return (
        f"nothing in the package provides {name.partition('.')[0]}: add its distribution to the "
        "requirements, and build again"
    )


def _native_hint(name: str, scene: Scene) -> str:
    """Whether there is an extension module of that name, for another Python or system."""
    place = name.replace(".", "/")
    for path in scene.paths:
        found = _NATIVE.search(path)
        if found and path[: found.start()] in (place, f"{SITE_PACKAGES}{place}"):
            whose = f"Python {found[1]}.{found[2]}" if found[1] else "another system"
            whose = "Windows" if found[3] == "pyd" else whose
            return (
                f"there is {path}, which is for {whose}: build for Python {scene.target.python} "
                "on Linux x86_64"
            )
    return ""


def _hung(run: Run, scene: Scene) -> Fault:
    place = last_place(run.faults, scene.app)
    invoking = _unanswered(run)
    doing = (
        f"{invoking}, invoked, does not answer" if invoking else "the app does not finish loading"
    )
    return Fault(
        code="hang",
        message=f"{doing} within {scene.timeout:g} s",
        path=place[0] if place else None, line=place[1] if place else None,
        hint="the line is what it was at; --timeout gives it longer, Azure's own limit is "
        "2 minutes at most" if not invoking else "the line is what it was at",
        traceback=run.faults.strip(),
    )  # fmt: skip


def _unanswered(run: Run) -> str:
    """The function that was invoked and has not answered, or ""."""
    answered = [row["name"] for row in run.stages if row["stage"] == "invocation"]
    asked = (str(row["name"]) for row in run.stages if row["stage"] == "invoking")
    return next((name for name in asked if name not in answered), "")


def _broken_off(run: Run, scene: Scene) -> Fault:
    place = last_place(run.faults, scene.app)
    path, line = place or (None, None)
    invoking = _unanswered(run)
    doing = f"while {invoking} is invoked" if invoking else "while the app is loaded"
    fatal = _FATAL.search(run.faults)
    if name := ended_by(run.code):
        why = f" ({fatal[1]})" if fatal else ""
        return Fault(
            code="crash",
            message=f"the interpreter crashes {doing}: {name}{why}",
            path=path, line=line, traceback=run.faults.strip(),
            hint="nobody but the kernel ends a process so: perhaps there was not enough memory"
            if name == "SIGKILL"
            else "it is native code that does so: see which module the line calls or imports",
        )  # fmt: skip
    return Fault(
        code="ended",
        message=f"the process is ended {doing}, with exit code {run.code}, and nothing raised",
        path=path, line=line, traceback="\n".join(run.output[-20:]),
        hint="look for os._exit, or for native code that exits",
    )  # fmt: skip


def _forked(scene: Scene) -> Fault:
    script = next((it.script for it in scene.model.functions), None)
    return Fault(
        code="fork",
        message="the app forks while it is loaded, and the child goes on as a second worker",
        path=script,
        hint="start processes where a function needs them, with subprocess or multiprocessing, and "
        "not where modules are imported",
    )
