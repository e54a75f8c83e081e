"""What azpack reads in an app, against what Azure's own worker libraries make of it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azpack.app.functions.reading import read_app
from azpack.app.functions.values import load_decorators
from azpack.deps.interpreters import find_interpreter, undisturbed
from azpack.deps.uv import find_uv
from azpack.target.target import find_target
from tests.documented_apps import DOCUMENTED_APPS, REQUIREMENTS
from tests.function_apps import V1_APPS, V2_APPS, files_of
from tests.unit.app.functions.trees import TextTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import NoReturn

TARGET = find_target(Path(), python="3.13")
TESTS = Path(__file__).resolve().parent.parent
LIBRARIES = (
    "azure-functions",
    "azure-functions-durable",
    "azure-functions-runtime",
    "azure-functions-runtime-v1",
    *(line.strip() for line in REQUIREMENTS.values()),
)


@pytest.fixture(scope="session")
def interpreter(
    tmp_path_factory: pytest.TempPathFactory, need: Callable[[str, str], NoReturn]
) -> Path:
    """An interpreter of Python 3.13 that has the newest worker libraries."""
    python = find_interpreter("3.13", os.environ) or need("pythons", "there is no Python 3.13")
    folder = tmp_path_factory.mktemp("worker")
    found = folder / "bin" / "python"
    for arguments in (
        ("venv", "--quiet", "--python", str(python), str(folder)),
        ("pip", "install", "--quiet", "--python", str(found), *LIBRARIES),
    ):
        subprocess.run([find_uv(), "--no-config", *arguments], check=True)
    return found


class Worker:
    """The process that answers what the worker makes of an app."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, model: str, root: Path, files: Mapping[str, str], *names: str) -> Any:
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps([model, str(root), *names]) + "\n")
        stdin.flush()
        return json.loads(stdout.readline())


@pytest.fixture(scope="session")
def worker(interpreter: Path) -> Iterator[Worker]:
    with subprocess.Popen(
        [interpreter, "-W", "ignore", str(TESTS / "real_worker.py")],
        env=undisturbed(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield Worker(process)


@pytest.mark.parametrize("name", V2_APPS)
def test_v2(name: str, worker: Worker, tmp_path: Path) -> None:
    app = V2_APPS[name]
    answer = worker.ask("v2", tmp_path, app.files, "function_app.py")
    refused = bool(app.codes) and not app.by_host
    assert ("error" in answer) == refused, answer
    if refused or app.unknown:
        return
    functions = read_app(TextTree(app.files), TARGET).functions
    assert [
        {"name": it.name, "bindings": [(b.name, b.type, b.direction) for b in it.bindings]}
        for it in functions
    ] == [
        {
            "name": it["name"],
            "bindings": [(b["name"], b["type"], b["direction"].lower()) for b in it["bindings"]],
        }
        for it in answer["functions"]
    ]
    for mine, theirs in zip(functions, answer["functions"], strict=True):
        for binding, other in zip(mine.bindings, theirs["bindings"], strict=True):
            for key in {"route", "schedule", "authLevel", "methods"} & other.keys():
                if name != "made in if":  # which of the two levels, only running it tells
                    assert _plain(binding.settings[key]) == _plain(other[key])


def _plain(value: Any) -> Any:
    """A setting as text: the library writes the names of enumerations, in upper case."""
    return [str(it).lower() for it in value] if isinstance(value, list) else str(value).lower()


@pytest.mark.parametrize("name", V1_APPS)
def test_v1(name: str, worker: Worker, tmp_path: Path) -> None:
    app = V1_APPS[name]
    answer = worker.ask("v1", tmp_path, files_of(app), app.folder)
    error = answer.get("error") or answer["functions"][app.folder]
    assert bool(error) == (bool(app.codes) and app.by_worker), error


@pytest.mark.parametrize("name", DOCUMENTED_APPS)
def test_documented_apps(name: str, worker: Worker, tmp_path: Path) -> None:
    files = DOCUMENTED_APPS[name]
    functions = read_app(TextTree(files), TARGET).functions
    if "function_app.py" in files:
        answer = worker.ask("v2", tmp_path, files, "function_app.py")
        assert [it["name"] for it in answer["functions"]] == [it.name for it in functions]
    else:
        names = [it.name for it in functions if it.name]
        assert worker.ask("v1", tmp_path, files, *names) == {"functions": dict.fromkeys(names, "")}


def test_table_of_decorators_is_the_libraries(interpreter: Path) -> None:
    """Where this fails on a new release: `python -m tests.decorator_table` with that installed."""
    script = "import json; from tests.decorator_table import make_table as make; "
    done = subprocess.run(
        [interpreter, "-W", "ignore", "-c", f"{script}print(json.dumps(make()))"],
        cwd=TESTS.parent,
        env=undisturbed(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert load_decorators() == json.loads(done.stdout.splitlines()[-1])
