"""Ask a function of an unpacked package, under a bare interpreter of the target's version.

`invoke` runs this same file as a script in that interpreter, which has no site-packages and takes
nothing from the environment: whatever the app imports, the package or the standard library holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import inspect
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Answer", "find_python", "invoke"]

_DEPENDENCIES = Path(".python_packages/lib/site-packages")
# What programs need to start at all; the rest of the environment is not the app's to see.
_KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What an HTTP function answered."""

    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@functools.cache
def find_python(version: str) -> Path | None:
    """The interpreter for a version such as "3.12": pyenv's newest, else one on PATH, else None."""
    return next((found for found in _pythons(version) if _is_version(found, version)), None)


def _pythons(version: str) -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    installed = [folder for folder in pyenv.glob(f"{version}.*") if folder.name.count(".") == 2]
    installed = [folder for folder in installed if folder.name.rpartition(".")[2].isdecimal()]
    for folder in sorted(installed, key=lambda each: -int(each.name.rpartition(".")[2])):
        yield folder / "bin" / "python"
    for folder_on_path in os.get_exec_path():
        if found := shutil.which(f"python{version}", path=folder_on_path):
            yield Path(found)


def _is_version(python: Path, version: str) -> bool:
    # A pyenv shim is there for versions that are not set, and fails: ask each what it is.
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(
            [python, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.stdout.strip() == version


def invoke(
    package: Path,
    *,
    python: Path,
    function: str,
    method: str = "GET",
    params: Mapping[str, str] | None = None,
    route: Mapping[str, str] | None = None,
    body: bytes = b"",
    settings: Mapping[str, str] | None = None,
) -> Answer:
    """Import the whole app in the unpacked `package` and send its HTTP `function` one request.

    `route` has the values of the route's parameters. `settings` are app settings, which the app
    reads as environment variables. Raises AssertionError, with the app's traceback, when the app
    can't be imported or the function fails.
    """
    call = {
        "function": function,
        "method": method,
        "params": dict(params or {}),
        "route": dict(route or {}),
        "body": body.decode("latin-1"),
    }
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    done = subprocess.run(
        # -X utf8 as LANG=C.UTF-8 in the runtime's image; -I would not read it from there.
        [python, "-I", "-S", "-B", "-X", "utf8", __file__],
        input=json.dumps(call).encode(),
        capture_output=True,
        cwd=package,
        env={**kept, **(settings or {})},
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"{function} did not answer:\n{done.stderr.decode(errors='replace')}")
    answer = json.loads(done.stdout)
    return Answer(status=answer["status"], body=answer["body"].encode("latin-1"))


# From here on: inside the bare interpreter, with the package as working folder.


def _answer_call() -> None:
    call = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):  # the app may print
        _set_import_path(Path.cwd())
        functions = _v1_functions if any(Path().glob("*/function.json")) else _v2_functions
        arguments_of, handler = functions()[call["function"]]
        response = _call_handler(handler, arguments_of, call)
    answer = {"status": response.status_code, "body": response.get_body().decode("latin-1")}
    sys.stdout.write(json.dumps(answer))


def _set_import_path(package: Path) -> None:
    """Put app and dependencies where the worker has them; which one is first changed with 3.13."""
    app, dependencies, stdlib = str(package), str(package / _DEPENDENCIES), sys.path[:]
    if sys.version_info >= (3, 13):
        sys.path[:] = [dependencies, *stdlib, app]
    else:
        sys.path[:] = [app, dependencies, *stdlib]


@dataclass(frozen=True)
class _Arguments:
    """The names of a function's parameters, from its bindings."""

    request: str | None  # None where the trigger is not HTTP
    outputs: tuple[str, ...]


_Functions = dict[str, tuple[_Arguments, "Callable[..., Any]"]]


def _v1_functions() -> _Functions:
    found: _Functions = {}
    for config_file in sorted(Path().glob("*/function.json")):
        config = json.loads(config_file.read_bytes())
        name = config_file.parent.name
        script = Path(config.get("scriptFile", "__init__.py")).stem
        module = importlib.import_module(name if script == "__init__" else f"{name}.{script}")
        bindings = [(each["name"], each["type"], each["direction"]) for each in config["bindings"]]
        found[name] = _arguments(bindings), getattr(module, config.get("entryPoint", "main"))
    return found


def _v2_functions() -> _Functions:
    register = importlib.import_module("azure.functions").FunctionRegister
    module = importlib.import_module("function_app")
    (app,) = [value for value in vars(module).values() if isinstance(value, register)]
    found: _Functions = {}
    for function in app.get_functions():
        dicts = [binding.get_dict_repr() for binding in function.get_bindings()]
        bindings = [(each["name"], each["type"], each["direction"].name) for each in dicts]
        found[function.get_function_name()] = _arguments(bindings), function.get_user_function()
    return found


def _arguments(bindings: list[tuple[str, str, str]]) -> _Arguments:
    """From (name, type, direction) of each binding."""
    triggers = [name for name, kind, _ in bindings if kind.lower() == "httptrigger"]
    outputs = [
        name for name, _, direction in bindings if direction.lower() == "out" and name != "$return"
    ]
    return _Arguments(request=next(iter(triggers), None), outputs=tuple(outputs))


class _Out:
    """An `azure.functions.Out` that keeps what it is given."""

    def __init__(self) -> None:
        self._value: object = None

    def set(self, value: object) -> None:
        self._value = value

    def get(self) -> object:
        return self._value


def _call_handler(
    handler: Callable[..., Any], arguments: _Arguments, call: Mapping[str, Any]
) -> Any:
    if arguments.request is None:
        raise TypeError(f"{call['function']} has no HTTP trigger")
    functions = importlib.import_module("azure.functions")
    request = functions.HttpRequest(
        method=call["method"],
        url=f"https://app.example.net/api/{call['function']}",
        params=call["params"],
        route_params=call["route"],
        body=call["body"].encode("latin-1"),
    )
    outputs = {name: _Out() for name in arguments.outputs}
    response = handler(**{arguments.request: request}, **outputs)
    if inspect.isawaitable(response):
        response = asyncio.run(_awaited(response))
    # The platform takes a string for a response too.
    return functions.HttpResponse(response) if isinstance(response, str) else response


async def _awaited(response: Any) -> Any:
    return await response


if __name__ == "__main__":
    _answer_call()
