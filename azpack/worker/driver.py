"""Asks Azure's own runtime library about an app, as the host asks the worker.

    python -I -B driver.py JOB

It runs on its own, under any Python that Azure has, and imports little of the standard library
before the app's paths are set. Its result, a line of JSON for each stage, goes to a file that the
job names: what the app prints does not get in between, and of what ends the process the stages
before it tell.

The library builds messages, reads their fields and asks WhichOneof of them, no more, so plain
classes stand in for those of gRPC.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import sys
import time
import traceback
from contextlib import suppress
from importlib.machinery import ExtensionFileLoader, SourceFileLoader, SourcelessFileLoader
from types import SimpleNamespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_STARTED = time.monotonic_ns()
_TIMED: dict[Any, tuple[str, ...]] = {
    SourceFileLoader: ("exec_module",),
    SourcelessFileLoader: ("exec_module",),
    ExtensionFileLoader: ("create_module", "exec_module"),
}
_LONGEST, _MOST_FRAMES, _MOST_IMPORTS, _SHOWN_BYTES = 20_000, 200, 40, 400


class Message:
    """A message with the fields that it is made of; the enumerations are those of all of them."""

    SameSite = SimpleNamespace(**{"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})
    Failure, Success = 0, 1
    out, inout, undefined = 1, 2, 0

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:
        """None for a field that is not set; the library asks for a type (TypedData) in vain."""
        if not name.islower():
            raise AttributeError(name)

    def WhichOneof(self, _: str) -> str | None:  # noqa: N802  # protobuf's own name
        """The field that is set; a name stands beside it in some messages."""
        return next((name for name in self.__dict__ if name != "name"), None)


class _Protos:
    """The module of messages; the one of errors is made where the library handles one."""

    def __getattr__(self, name: str) -> Any:
        if name == "RpcException":
            return lambda **fields: Message(**fields, error=sys.exc_info()[1])
        return Message


class Report:
    """Writes the stages. Only the process that made it goes on: a child of it ends here."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._process = os.getpid()

    def write(self, stage: str, **fields: Any) -> None:
        """Append a stage to the file."""
        forked = os.getpid() != self._process
        row = {"stage": "forked"} if forked else {"stage": stage, **fields}
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(f"{json.dumps(row)}\n")
        if forked:  # by the app's code, from which it came back
            os._exit(0)


class ImportTimer:
    """Stands before the other finders, and measures how long loading each module takes.

    `seconds` is all of it; `times` has for each module the seconds in all, and those without
    what it imports itself.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.times: dict[str, list[float]] = {}
        self._open: dict[int, list[list[float]]] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """What the other finders find, its loader measured."""
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is not self and find is not None:
                spec = find(name, path, target)
                if spec is not None:
                    for method in _TIMED.get(type(spec.loader), ()):
                        self._measure(spec.loader, method)
                    return spec
        return None

    def _measure(self, loader: Any, method: str) -> None:
        original = getattr(loader, method)

        def measured(argument: Any) -> Any:
            from _thread import get_ident

            stack = self._open.setdefault(get_ident(), [])
            inner = [0.0]
            stack.append(inner)
            began = time.perf_counter()
            try:
                return original(argument)
            finally:
                seconds = time.perf_counter() - began
                stack.pop()
                loader.__dict__.pop(method, None)
                row = self.times.setdefault(loader.name, [0.0, 0.0])
                row[0] += seconds
                row[1] += seconds - inner[0]
                if stack:
                    stack[-1][0] += seconds
                else:
                    self.seconds += seconds

        setattr(loader, method, measured)

    def slowest(self) -> list[list[Any]]:
        """Name, seconds, and own seconds with those of modules below, of what takes longest."""
        names = sorted(self.times, key=lambda name: -self.times[name][0])[:_MOST_IMPORTS]
        return [[name, self.times[name][0], self._own(name)] for name in names]

    def _own(self, package: str) -> float:
        below = f"{package}."
        return sum(
            row[1] for name, row in self.times.items() if name == package or name.startswith(below)
        )


def describe(error: BaseException) -> dict[str, Any]:
    """What is known of an exception; of `frames` the innermost is the last."""
    frames: list[Any] = [
        (frame.f_code.co_filename, line, frame.f_code.co_name)
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append((error.filename, error.lineno or 1, ""))
    text = str(error)
    if len(error.args) > 1 and isinstance(error.args[0], str) and text.startswith("("):
        with suppress(
            TypeError, ValueError
        ):  # the library leaves some of its errors to be filled in
            text = error.args[0] % error.args[1:]
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return {
        "type": type(error).__name__,
        "bases": [base.__name__ for base in type(error).__mro__],
        "message": text[:_LONGEST],
        "frames": frames[-_MOST_FRAMES:],
        "traceback": "".join(lines)[-_LONGEST:],
    }


def _failure(response: Message) -> dict[str, Any] | None:
    """Why a response says that something failed, if it does."""
    if response.result.status == Message.Success:
        return None
    return describe(response.result.exception.error)


def _request(**fields: Any) -> Message:
    return Message(request=Message(**fields), properties={"host": "127.0.0.1", "protos": _Protos()})


class Host:
    """The host's part of its talk with the worker."""

    def __init__(self, job: dict[str, Any], worker: Any, report: Report) -> None:
        self._job = job
        self._worker = worker
        self._report = report
        self._ids: dict[str, str] = {}
        self._all_http = "all-http" in job["invoke"]

    async def talk(self, timer: ImportTimer) -> None:
        """Have the worker index and load the functions, and invoke those that the job names."""
        began = time.perf_counter()
        asked = Message(capabilities={}, function_app_directory=self._job["app"])
        answer = await self._worker.worker_init_request(_request(worker_init_request=asked))
        error = _failure(answer)
        functions: list[dict[str, Any]] = []
        if not error:
            listed = await self._worker.functions_metadata_request(_request())
            if listed.use_default_metadata_indexing:  # of the folders, which the host lists
                functions = [await self._load(it) for it in self._job["v1"]]
            for it in listed.function_metadata_results or ():
                self._ids[it.name] = it.function_id
                rows = [json.loads(text) for text in it.raw_bindings]
                functions.append({"name": it.name, "bindings": rows})
        seconds = time.perf_counter() - began - timer.seconds
        self._report.write(
            "index", error=error, functions=functions, seconds=seconds, imports=timer.seconds,
            slowest=timer.slowest(), sdk=_sdk(),
        )  # fmt: skip
        for row in functions:
            is_named = row["name"] in self._job["invoke"]
            is_http = any(it["type"].lower() == "httptrigger" for it in row["bindings"])
            if row["name"] in self._ids and (is_named or (is_http and self._all_http)):
                await self._invoke(row, answer.capabilities)

    async def _load(self, it: dict[str, Any]) -> dict[str, Any]:
        metadata = Message(
            name=it["name"], directory=f"{self._job['app']}/{it['name']}",
            script_file=it["script"], entry_point=it["entry_point"],
            bindings={name: Message(**row) for name, row in it["bindings"].items()},
        )  # fmt: skip
        asked = Message(function_id=it["name"], metadata=metadata)
        answer = await self._worker.function_load_request(_request(function_load_request=asked))
        if not (error := _failure(answer)):
            self._ids[it["name"]] = it["name"]
        return {"name": it["name"], "bindings": it["listed"], "error": error}

    async def _invoke(self, row: dict[str, Any], capabilities: dict[str, str]) -> None:
        name = row["name"]
        inputs = [it for it in row["bindings"] if it["direction"].lower() == "in"]
        trigger = next((it for it in inputs if it["type"].lower() == "httptrigger"), None)
        if trigger is None or len(inputs) > 1 or "HttpUri" in capabilities:
            reason = "it has no HTTP trigger" if trigger is None else "it streams over HTTP"
            if trigger is not None and len(inputs) > 1:
                other = next(it for it in inputs if it is not trigger)
                reason = f"only the host could fill its input {other['name']}"
            self._report.write("invocation", name=name, skipped=reason)
            return
        method = str(next(iter(trigger.get("methods") or ()), "GET")).upper()
        route = str(trigger.get("route") or name).strip("/")
        params = dict.fromkeys(re.findall(r"\{\*?(\w+)[^}]*\}", route), "1")
        path = re.sub(r"\{[^}]*\}", "1", route)
        url = "/".join(part for part in ("", self._job["prefix"].strip("/"), path) if part)
        call = {"name": name, "method": method, "url": f"/{url}"}
        http = Message(
            method=method, url=f"https://localhost/{url}", headers={}, query={}, params=params,
            body=Message(bytes=b""),
        )  # fmt: skip
        self._report.write("invoking", **call)
        began = time.perf_counter()
        answer = await self._worker.invocation_request(_request(invocation_request=Message(
            invocation_id="verify", function_id=self._ids[name], trigger_metadata={},
            input_data=[Message(name=trigger["name"], data=Message(http=http))],
            trace_context=Message(trace_parent="", trace_state="", attributes={}),
            retry_context=Message(retry_count=0, max_retry_count=0),
        )))  # fmt: skip
        seconds = time.perf_counter() - began
        error = _failure(answer)
        shown = {} if error else _shown(answer)
        self._report.write("invocation", **call, error=error, seconds=seconds, **shown)


def _shown(answer: Message) -> dict[str, Any]:
    """Status and body of an answer; what is no HTTP response the host answers with 200."""
    returned = [answer.return_value, *(it.data for it in answer.output_data or ())]
    http = next((it.http for it in returned if it and it.http), None)
    plain = http.body if http else returned[0]
    content = next(iter(vars(plain).values()), b"") if plain else b""
    content = content if isinstance(content, bytes) else str(content).encode()
    status = http.status_code if http else 200 if returned[0] else 204
    body = content[:_SHOWN_BYTES].decode("utf-8", "replace")
    return {"status": str(status), "size": len(content), "body": body}


def _sdk() -> list[str]:
    functions = sys.modules.get("azure.functions")
    return [str(getattr(functions, name, "")) for name in ("__version__", "__file__")]


def _work(job: dict[str, Any], report: Report) -> None:
    stage = "worker"
    try:
        began = time.perf_counter()
        import asyncio

        worker = __import__(job["library"])
        worker.start_threadpool_executor()
        version = sys.modules[f"{job['library']}.version"].VERSION
        report.write("worker", seconds=time.perf_counter() - began, version=version)
        stage = "index"
        timer = ImportTimer()
        sys.meta_path.insert(0, timer)
        asyncio.run(Host(job, worker, report).talk(timer))
    except BaseException as error:  # SystemExit is the app's, too
        report.write("raised", during=stage, error=describe(error))


def main() -> None:
    """Do the job, and end without waiting for what the app has started."""
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    report = Report(job["result"])
    faults = open(job["faults"], "w", encoding="utf-8")  # noqa: SIM115  # open until the end
    faulthandler.enable(faults)
    faulthandler.dump_traceback_later(job["timeout"], exit=True, file=faults)
    forks: list[int] = []
    os.register_at_fork(after_in_parent=lambda: forks.append(1))
    spawned = (_STARTED - job["spawned"]) / 1e9 if job["spawned"] else None
    report.write("start", seconds=spawned, python=sys.version.split()[0])
    first, own = [job["packages"], job["worker"]], [it for it in sys.path if it]
    app = [job["app"]]
    sys.path[:] = [*app, *first, *own] if sys.version_info < (3, 13) else [*first, *own, *app]
    os.chdir(job["app"])
    _work(job, report)
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        children = len(file.read().split())
    report.write("end", forks=len(forks), children=children)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # the app may have closed it, or put its own there
            stream.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
