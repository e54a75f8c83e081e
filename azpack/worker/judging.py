"""From a run and what the rules found to a verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from azpack.app.functions import Binding, Function, http_path
from azpack.worker.faults import Fault, Scene, brought_by_worker, find_faults, of_finding
from azpack.worker.runtime import V1
from azpack.worker.verification import Invocation, ListedFunction, SlowImport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from azpack.app.functions import AppModel
    from azpack.package.inspection import Inspection
    from azpack.worker.running import Job, Run
    from azpack.worker.verification import Verdict, Verification

# What the host decides, or the worker around the library, so that the library can't tell: errors
# of these rules are faults without a run.
_NOT_THE_LIBRARYS = (
    "AZP101", "AZP102", "AZP103", "AZP105", "AZP106",
    "AZP201", "AZP202", "AZP203", "AZP204", "AZP205", "AZP206", "AZP207", "AZP208", "AZP209",
    "AZP210", "AZP409", "AZP501", "AZP505", "AZP506",
)  # fmt: skip
# What may explain why something is not found or not loaded.
_EXPLAINING = (
    "AZP111", "AZP301", "AZP302", "AZP303", "AZP304", "AZP305", "AZP307",
    "AZP403", "AZP406", "AZP408", "AZP502", "AZP503", "AZP504", "AZP508", "AZP509",
)  # fmt: skip
# No function, a trigger too few or too many, a blueprint that is never registered.
_IN_SILENCE = ("AZP104", "AZP305", "AZP306")
# Those of them that have the place of an error of which the library tells none.
_PLACES = ("AZP302", "AZP303", "AZP304", "AZP305")


def platform_faults(inspection: Inspection) -> tuple[Fault, ...]:
    """What the rules found that the library can't see, and that would keep the app from running."""
    return tuple(
        of_finding(it)
        for it in inspection.findings
        if it.severity == "error" and it.code in _NOT_THE_LIBRARYS
    )


def judge(
    start: Verification,
    run: Run,
    job: Job,
    inspection: Inspection,
    model: AppModel,
    prefix: str | None,
) -> Verification:
    """The verdict on a package that was run; `model` is what the code says without running."""
    scene = Scene(
        app=job.app, model=model, paths=[it.path for it in inspection.files],
        target=inspection.target, timeout=job.timeout,
    )  # fmt: skip
    functions = tuple(_functions(run, prefix))
    faults = [*start.faults, *(_placed(it, model) for it in find_faults(run, scene))]
    if not faults:
        faults += _lacking(functions, model, job)
    missing = _missing(functions, model, job) if not faults else ()
    reason = _why_unverified(run)
    verdict: Verdict = "failed" if faults else "passed"
    if reason and not start.faults:
        verdict = "unverified"
    return replace(
        start,
        verdict=verdict,
        reason=reason,
        interpreter=run.interpreter,
        image=run.image,
        python=str((run.stage("start") or {}).get("python", "")),
        libc=run.libc,
        runtime=_runtime(run, job),
        functions=functions,
        faults=tuple(faults),
        notes=(*_notes(run), *(_absent(it) for it in missing)),
        related=_related(faults, inspection),
        invocations=tuple(_invocations(run)),
        timings=_timings(run),
        slowest=tuple(SlowImport(module=name, seconds=seconds, own_seconds=own)
                      for name, seconds, own in (run.stage("index") or {}).get("slowest", ())),
        unproved=tuple(_unproved(run, inspection, job)),
        output=run.output,
    )  # fmt: skip


def _why_unverified(run: Run) -> str:
    if run.stage("start") is None:
        said = run.output[-1] if run.output else f"exit code {run.code}"
        return f"the interpreter {run.interpreter} does not start: {said}"
    if module := brought_by_worker(run):
        return (
            f"the app imports {module}, which is not in the package; the worker on Azure brings "
            "it, in a version of its own: list it among the requirements"
        )
    return ""


def _functions(run: Run, prefix: str | None) -> Iterator[ListedFunction]:
    for row in (run.stage("index") or {}).get("functions", ()):
        if row.get("error"):
            continue
        bindings = tuple(
            Binding(name=it.get("name"), type=it.get("type"), direction="in", settings=it)
            for it in row["bindings"]
        )
        function = Function(name=row["name"], model="v2", script="", line=None, bindings=bindings)
        trigger = function.trigger.type if function.trigger else None
        yield ListedFunction(name=row["name"], trigger=trigger, route=http_path(function, prefix))


def _lacking(functions: Sequence[ListedFunction], app: AppModel, job: Job) -> Iterator[Fault]:
    """What the library passes over in silence."""
    found = [it for it in app.findings if it.code in _IN_SILENCE]
    yield from map(of_finding, found)
    missing = list(_missing(functions, app, job))
    if not app.unknown:
        for function in missing:
            yield Fault(
                code="function-missing",
                message=f"{function.name} is in the code, and Azure would not list it",
                path=function.script,
                line=function.line,
                hint="see whether something takes it out of the app again",
            )
    if not functions and not found and not missing:
        yield Fault(
            code="no-function",
            message="nothing fails, and Azure would list no function",
            hint="functions go into function_app.py beside host.json",
        )


def _missing(functions: Sequence[ListedFunction], app: AppModel, job: Job) -> Iterator[Function]:
    """The functions of the code, in the model that the library is for, that it does not list."""
    listed = {it.name for it in functions}
    model = "v1" if job.library == V1 else "v2"
    for function in app.functions:
        if function.model == model and function.name is not None and function.name not in listed:
            yield function


def _placed(fault: Fault, model: AppModel) -> Fault:
    """The fault with the place that a rule found, where it has none itself."""
    if fault.path is not None or fault.code != "value-error":
        return fault
    found = next((it for it in model.findings if it.code in _PLACES), None)
    if found is None:
        return fault
    return replace(fault, path=found.path, line=found.line, hint=found.hint or "")


def _related(faults: Sequence[Fault], inspection: Inspection) -> tuple[Any, ...]:
    """What the rules found that explains why the app is not loaded, unless a fault says it."""
    said = {it.code for it in faults} | {(it.path, it.line) for it in faults}
    if all(it.code.startswith("AZP") for it in faults):
        return ()
    return tuple(
        it
        for it in inspection.findings
        if it.severity == "error"
        and it.code in _EXPLAINING
        and said.isdisjoint((it.code, (it.path, it.line)))
    )


def _runtime(run: Run, job: Job) -> Mapping[str, str]:
    worker = run.stage("worker")
    if worker is None:
        return {}
    version, file = (run.stage("index") or {}).get("sdk") or ("", "")
    return {
        "name": job.library.replace("_", "-"),
        "version": str(worker["version"]),
        "azure_functions": version,
        "azure_functions_from": "package" if file.startswith(f"{job.app}/") else "runtime",
    }


def _notes(run: Run) -> Iterator[str]:
    end = run.stage("end") or {}
    if forks := end.get("forks"):
        yield f"loading the app makes {forks} process{'es' * (forks > 1)} by forking"
    if children := end.get("children"):
        yield f"loading the app leaves {children} process{'es' * (children > 1)} running"


def _absent(function: Function) -> str:
    return (
        f"{function.name} ({function.script}:{function.line or 1}) is not listed: where it depends "
        "on an app setting, give that with --settings or -e"
    )


def _invocations(run: Run) -> Iterator[Invocation]:
    for row in run.stages:
        if row["stage"] == "invocation":
            fields = {name: row[name] for name in Invocation.__slots__ if name in row}
            yield Invocation(**fields)


def _timings(run: Run) -> Mapping[str, float]:
    """Seconds of what a cold start is made of: interpreter, worker, import, index, invocation."""
    index = run.stage("index") or {}
    rows = {
        "interpreter": (run.stage("start") or {}).get("seconds"),
        "worker": (run.stage("worker") or {}).get("seconds"),
        "import": index.get("imports"),
        "index": index.get("seconds"),
        "invocation": next(
            (it["seconds"] for it in run.stages if it["stage"] == "invocation" and "seconds" in it),
            None,
        ),
    }
    return {name: seconds for name, seconds in rows.items() if seconds is not None}


def _unproved(run: Run, inspection: Inspection, job: Job) -> Iterator[str]:
    """What the verdict does not say, whatever it is."""
    target = inspection.target
    if not run.image:
        here = "as here" if run.libc == f"glibc {target.glibc}" else f"here it is {run.libc}"
        yield f"the platform's own system: its glibc is {target.glibc}, {here}"
    if not job.invoke:
        yield "what the functions do when they are called"
    yield "triggers, connections and app settings, which the host reads"
    if run.image:
        yield "that it runs from a read-only folder: it ran as root, which may write anywhere"
