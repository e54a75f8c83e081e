"""Faults: the cause, the place in the app, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azpack.app.functions import AppModel
from azpack.target.target import find_target
from azpack.worker.faults import Fault, Scene, brought_by_worker, find_faults
from azpack.worker.running import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGES = "/app/.python_packages/lib/site-packages"
START = {"stage": "start", "python": "3.12.1"}
END = {"stage": "end", "forks": 0, "children": 0}


def scene(*paths: str) -> Scene:
    return Scene(
        app="/app",
        model=AppModel(models=frozenset({"v2"}), functions=(), findings=()),
        paths=paths,
        target=find_target(Path(), python="3.12"),
        timeout=60,
    )


def run(
    *stages: Mapping[str, Any], code: int = 0, faults: str = "", timed_out: bool = False
) -> Run:
    return Run(
        stages=(START, *stages), code=code, faults=faults, output=(), timed_out=timed_out,
        interpreter="python", libc="glibc 2.36",
    )  # fmt: skip


def error(kind: str, message: str, *frames: tuple[str, int, str]) -> dict[str, Any]:
    bases = [kind, "ImportError"] if kind == "ModuleNotFoundError" else [kind]
    return {"type": kind, "bases": bases, "message": message, "frames": list(frames),
            "traceback": f"Traceback\n{kind}: {message}\n"}  # fmt: skip


def fault_of(found: Mapping[str, Any], *paths: str) -> Fault:
    index = {"stage": "index", "error": found, "functions": []}
    (fault,) = find_faults(run(index, END), scene(*paths))
    return fault


def test_nothing_is_wrong() -> None:
    index = {"stage": "index", "error": None, "functions": [{"name": "a", "bindings": []}]}
    assert list(find_faults(run(index, END), scene())) == []


def test_the_place_is_in_the_apps_own_code_if_it_can_be() -> None:
    frames = (
        ("/app/function_app.py", 3, "<module>"),
        (f"{PACKAGES}/outer.py", 1, "<module>"),
        ("/usr/lib/python3.12/json/__init__.py", 300, "loads"),
    )
    fault = fault_of(error("ValueError", "no", *frames))
    assert (fault.code, fault.message) == ("value-error", "ValueError: no")
    assert (fault.path, fault.line) == ("function_app.py", 3)
    inner = fault_of(error("ValueError", "no", *frames[1:]))
    assert inner.path == ".python_packages/lib/site-packages/outer.py"
    assert fault_of(error("ValueError", "no", frames[2])).path is None


def test_what_the_library_adds_to_an_import_error_is_left_out() -> None:
    added = (
        "No module named 'a'. Cannot find module. Please check the requirements.txt file for the "
        "missing module. For more info, please refer the troubleshooting guide: x. Current"
        " sys.path: /w /app"
    )
    fault = fault_of(error("ModuleNotFoundError", added))
    assert fault.message == "ModuleNotFoundError: No module named 'a'"


@pytest.mark.parametrize(
    ("name", "paths", "says"),
    [
        ("a", (), "nothing in the package provides a:"),
        ("a.b", (), "nothing in the package provides a:"),
        ("a", ("venv/lib/a.py",), "there is venv/lib/a.py, where it is not looked for"),
        ("a", ("site/a/__init__.py",), "there is site/a/__init__.py, where"),
        ("a.b", ("a/__init__.py",), "a/__init__.py hides whatever else has that name"),
        ("a._b", (f"{PACKAGES[5:]}/a/_b.cpython-310-x86_64-linux-gnu.so",), "is for Python 3.10"),
        ("a._b", (f"{PACKAGES[5:]}/a/_b.cp312-win_amd64.pyd",), "is for Windows"),
        ("a", ("a.cpython-39-darwin.so",), "is for Python 3.9"),
    ],
)
def test_why_a_module_is_not_found(name: str, paths: tuple[str, ...], says: str) -> None:
    fault = fault_of(error("ModuleNotFoundError", f"No module named '{name}'"), *paths)
    assert says in fault.hint


def test_what_only_the_worker_brings() -> None:
    def brought(name: str) -> str:
        found = error("ModuleNotFoundError", f"No module named '{name}'")
        return brought_by_worker(run({"stage": "index", "error": found, "functions": []}))

    assert brought("dateutil") == "dateutil"
    assert brought("google.protobuf") == "google.protobuf"
    assert brought("google.cloud") == ""
    assert brought("requests") == ""
    assert brought("azure_functions_runtime") == ""
    assert brought_by_worker(run()) == ""


def test_a_hang_while_a_function_is_invoked_names_it() -> None:
    index: dict[str, Any] = {"stage": "index", "error": None, "functions": []}
    invoking = {"stage": "invoking", "name": "hello"}
    (fault,) = find_faults(run(index, invoking, timed_out=True), scene())
    assert fault.message == "hello, invoked, does not answer within 60 s"
    (fault,) = find_faults(run(timed_out=True), scene())
    assert fault.message == "the app does not finish loading within 60 s"


def test_what_ends_the_process_is_told_apart() -> None:
    (crash,) = find_faults(run(code=-11, faults="Fatal Python error: Bus error\n"), scene())
    assert (crash.code, "SIGSEGV (Bus error)" in crash.message) == ("crash", True)
    (killed,) = find_faults(run(code=137), scene())
    assert "memory" in killed.hint
    (ended,) = find_faults(run(code=3), scene())
    assert (ended.code, "exit code 3" in ended.message) == ("ended", True)
    left = {"stage": "raised", "during": "index", "error": error("SystemExit", "4")}
    (exited,) = find_faults(run(left, END), scene())
    assert (exited.code, "sys.exit(4)" in exited.message) == ("exit", True)
