"""Packages that would not run on Azure, one for each way, and what `azpack verify` says of each.

The integration tests build and verify them, and hold docs/verify.md to this table:
`python -m tests.broken_apps` prints what stands there.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.objects import EM_386, EM_AARCH64, make_object
from tests.packages import distribution

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BROKEN_APPS", "BrokenApp", "table_lines"]

HOST = b'{"version": "2.0", "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle"'
HOST += b', "version": "[4.*, 5.0.0)"}}\n'
HEAD = "import azure.functions as func\n"
APP = f"{HEAD}app = func.FunctionApp()\n"
HELLO = '@app.route()\ndef hello(req: func.HttpRequest) -> str:\n    return "hello"\n'


@dataclass(frozen=True, kw_only=True)
class BrokenApp:
    """The files of a package, and the first error that is reported of it.

    `code` is its code, `says` a part of the message, `at` its path and line, `hint` a part of what
    to do. `inspect` and `check` are the codes of the errors and warnings that say so without
    running it; `before` is False where the same holds from Python 3.13 on, else it is another
    verdict there. `settings` are given, functions are invoked.
    """

    files: Mapping[str, bytes]
    code: str
    says: str
    at: str = ""
    hint: str = ""
    verdict: str = "failed"
    python: str = ""
    inspect: tuple[str, ...] = ()
    check: tuple[str, ...] = ()
    timeout: float = 20
    invoke: tuple[str, ...] = ()


def _app(text: str, code: str, says: str, at: str = "", **more: object) -> BrokenApp:
    files = {"host.json": HOST, "function_app.py": text.encode()}
    files |= more.pop("files", {})  # type: ignore[call-overload]
    return BrokenApp(files=files, code=code, says=says, at=at, **more)  # type: ignore[arg-type]


def _folder(script: str | None, table: object, code: str, says: str, at: str = "",
            **more: object) -> BrokenApp:  # fmt: skip
    text = table if isinstance(table, str) else json.dumps(table, indent=1)
    files = {"host.json": HOST, "hello/function.json": text.encode()}
    files |= {"hello/__init__.py": script.encode()} if script is not None else {}
    files |= more.pop("files", {})  # type: ignore[call-overload]
    return BrokenApp(files=files, code=code, says=says, at=at, **more)  # type: ignore[arg-type]


def _http(**more: object) -> dict[str, object]:
    """A function.json with an HTTP trigger."""
    bindings = [
        {"type": "httpTrigger", "direction": "in", "name": "req"},
        {"type": "http", "direction": "out", "name": "$return"},
    ]
    return {"bindings": bindings, **more}


MAIN = f"{HEAD}def main(req: func.HttpRequest) -> str:\n    return 'hello'\n"
# As much of a library for Windows as tells what it is.
_PE = b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0\x64\x86" + bytes(500)
_NATIVE = f"{APP}import fast\n{HELLO}"


def _native(filename: str, content: bytes, *tags: str) -> dict[str, bytes]:
    files = {"fast/__init__.py": b"from fast import _core\n", f"fast/{filename}": content}
    return distribution("fast", files=files, tags=tags)


BROKEN_APPS: dict[str, BrokenApp] = {
    "a missing dependency": _app(
        f"import requests\n{APP}{HELLO}", "module-not-found-error",
        "No module named 'requests'", "function_app.py:1",
        hint="nothing in the package provides requests", inspect=("AZP403",), check=("AZP401",),
    ),
    "a dependency of a dependency is missing": _app(
        f"{APP}import outer\n{HELLO}", "module-not-found-error",
        "No module named 'inner'", "function_app.py:3",
        hint="nothing in the package provides inner",
        files=distribution("outer", files={"outer.py": b"import inner\n"}, requires=["inner"]),
        inspect=("AZP509",), check=("AZP401",),
    ),
    "dependencies in another folder": _app(
        f"{APP}import other\n{HELLO}", "module-not-found-error", "No module named 'other'",
        "function_app.py:3", hint="where it is not looked for",
        files=distribution("other", root="lib/site-packages/"),
        inspect=("AZP403", "AZP502"), check=("AZP401",),
    ),
    "a syntax error": _app(
        f"{APP}def hello(:\n", "syntax-error", "invalid syntax", "function_app.py:3",
        hint="mend it for Python", inspect=("AZP301",), check=("AZP301",),
    ),
    "a syntax error in a module": _app(
        f"{APP}import pages\n{HELLO}", "syntax-error", "invalid syntax", "pages.py:1",
        files={"pages.py": b"def page(:\n"}, inspect=("AZP301",), check=("AZP301",),
    ),
    "no app instance": _app(
        HEAD, "value-error", "Could not find top level function app", "",
        inspect=("AZP302",), check=("AZP302",),
    ),
    "two app instances": _app(
        f"{APP}{HELLO}other = func.FunctionApp()\n", "value-error", "More than one FunctionApp",
        inspect=("AZP303",), check=("AZP303",),
    ),
    "a duplicate function name": _app(
        f"{APP}{HELLO}{HELLO}", "value-error", "hello does not have a unique function name",
        inspect=("AZP304",), check=("AZP304",),
    ),
    "no trigger": _app(
        f'{APP}@app.function_name("hello")\ndef hello(req): ...\n', "value-error",
        "Function hello does not have a trigger", inspect=("AZP305",), check=("AZP305",),
    ),
    "two triggers": _app(
        f"{APP}@app.route()\n@app.timer_trigger(schedule='0 0 * * * *', arg_name='t')\n"
        "def hello(req, t): ...\n", "value-error", "A trigger was already registered",
        inspect=("AZP305",), check=("AZP305",),
    ),
    "a binding without a parameter": _app(
        f"{APP}@app.route()\n@app.queue_output('out', 'q', 'C')\ndef hello(req): ...\n",
        "function-load-error", "out", "function_app.py:5", inspect=("AZP307",), check=("AZP307",),
    ),
    "a parameter without a binding": _app(
        f"{APP}@app.route()\ndef hello(req, more): ...\n", "function-load-error", "{'more'}",
        "function_app.py:4", inspect=("AZP307",), check=("AZP307",),
    ),
    "a blueprint that is never registered": _app(
        f"{APP}import pages\n{HELLO}", "AZP306", "never registered", "pages.py:2",
        files={"pages.py": f"{HEAD}bp = func.Blueprint()\n@bp.route()\ndef page(req): ...\n"
               .encode()},
        inspect=("AZP306",), check=("AZP306",),
    ),
    "an app without functions": _app(
        APP, "AZP104", "without a function", "function_app.py:1",
        inspect=("AZP104",), check=("AZP104",),
    ),
    "the app in a file of another name": BrokenApp(
        files={"host.json": HOST, "main.py": f"{APP}{HELLO}".encode()}, code="AZP104",
        says="Azure looks for the functions in function_app.py", at="main.py:1",
        inspect=("AZP104",), check=("AZP104",),
    ),
    "a function that is taken out again": _app(
        f"{APP}{HELLO}app._function_builders.clear()\n", "function-missing", "hello is in the code",
        "function_app.py:4",
    ),
    "both programming models": _app(
        f"{APP}{HELLO}", "AZP105", "Azure lists those of one model alone",
        files={"old/function.json": json.dumps(_http()).encode(), "old/__init__.py": MAIN.encode()},
        inspect=("AZP105",), check=("AZP105",),
    ),
    "an extra top folder": BrokenApp(
        files={"site/host.json": HOST, "site/function_app.py": f"{APP}{HELLO}".encode()},
        code="AZP501", says="host.json", inspect=("AZP501",),
    ),
    "no host.json": BrokenApp(
        files={"function_app.py": f"{APP}{HELLO}".encode()}, code="AZP101", says="host.json",
        inspect=("AZP101",),
    ),
    "a host.json that is not valid": _app(
        f"{APP}{HELLO}", "AZP102", "version", files={"host.json": b'{"version": "1.0"}'},
        inspect=("AZP102",), check=("AZP102",),
    ),
    "a wrong script file": _folder(
        MAIN, _http(scriptFile="main.py"), "AZP210", "main.py does not exist",
        "hello/function.json:14", inspect=("AZP210",), check=("AZP210",),
    ),
    "a missing entry point": _folder(
        MAIN, _http(entryPoint="run"), "runtime-error", "function run() is not present",
        "hello/__init__.py", inspect=("AZP211",), check=("AZP211",),
    ),
    "a binding against the parameters": _folder(
        f"{HEAD}def main(request): ...\n", _http(), "function-load-error", "request",
        "hello/__init__.py:2", inspect=("AZP212",), check=("AZP212",),
    ),
    "an annotation against the direction": _folder(
        f"{HEAD}def main(req: func.Out[str]): ...\n", _http(), "function-load-error",
        'declared to have the "in" direction', "hello/__init__.py:2",
        inspect=("AZP213",), check=("AZP213",),
    ),
    "a function.json that is not valid": _folder(
        MAIN, "{", "AZP201", "not valid JSON", "hello/function.json:1",
        inspect=("AZP201",), check=("AZP201",),
    ),
    "a function.json without a trigger": _folder(
        MAIN, {"bindings": [{"type": "http", "direction": "out", "name": "$return"}]}, "AZP204",
        "no trigger", "hello/function.json:2", inspect=("AZP204", "AZP212"),
        check=("AZP204", "AZP212"),
    ),
    "a direction inout": _folder(
        MAIN, {"bindings": [*_http()["bindings"],  # type: ignore[misc]
                            {"type": "blob", "direction": "inout", "name": "x"}]},
        "AZP209", "inout", inspect=("AZP209", "AZP212"), check=("AZP209", "AZP212"),
    ),
    "an import error in a folder's module": _folder(
        f"import requests\n{MAIN}", _http(), "module-not-found-error", "No module named 'requests'",
        "hello/__init__.py:1", inspect=("AZP403",), check=("AZP401",),
    ),
    "old azure-functions in the package": _app(
        f"{APP}{HELLO}", "attribute-error", "has no attribute 'FunctionApp'", "function_app.py:2",
        hint="too old for that",
        files=distribution(
            "azure-functions", "1.0.4",
            {"azure/functions/__init__.py": b'__version__ = "1.0.4"\n'
             b"def get_binding_registry(): return {}\n"},
        ),
    ),
    "native code for another Python": _app(
        _NATIVE, "import-error", "cannot import name '_core'", "function_app.py:3",
        hint="which is for Python 3.9",
        files=_native("_core.cpython-39-x86_64-linux-gnu.so", make_object(), "cp39-cp39-linux"),
        inspect=("AZP503",), check=("AZP401",),
    ),
    "native code for another processor": _app(
        _NATIVE, "import-error", "cannot open shared object file", "function_app.py:3",
        files=_native("_core.abi3.so", make_object(machine=EM_AARCH64), "cp37-abi3-linux_aarch64"),
        inspect=("AZP503",), check=("AZP401",),
    ),
    "native code of 32 bits": _app(
        _NATIVE, "import-error", "wrong ELF class", "function_app.py:3",
        files=_native("_core.abi3.so", make_object(machine=EM_386, wide=False), "cp37-abi3-linux"),
        inspect=("AZP503",), check=("AZP401",),
    ),
    "a wheel for Windows": _app(
        _NATIVE, "import-error", "cannot import name '_core'", "function_app.py:3",
        hint="which is for Windows",
        files=_native("_core.cp311-win_amd64.pyd", _PE, "cp311-cp311-win_amd64"),
        inspect=("AZP503",), check=("AZP401",),
    ),
    "native code for a newer glibc": _app(
        _NATIVE, "import-error", "GLIBC_2.99", "function_app.py:3",
        files=_native("_core.abi3.so", make_object(versions=[("libc.so.6", "GLIBC_2.99")]),
                      "cp37-abi3-manylinux_2_39_x86_64"),
        inspect=("AZP504",), check=("AZP401",),
    ),
    "protobuf 3.19 in the package": _app(
        f"{APP}{HELLO}", "AZP409", "protobuf 3.19", python="3.11",
        files=distribution("protobuf", "3.19.6",
                           {"google/protobuf/__init__.py": b"__version__ = '3.19.6'\n"}),
        inspect=("AZP409",),
    ),
    "queue.py at the root": _app(
        f"{APP}{HELLO}", "import-error", "the worker can't start: ImportError", "queue.py:1",
        files={"queue.py": b"from heapq import mine\n"}, python="3.11",
        inspect=("AZP106",), check=("AZP106",),
    ),
    "azure/__init__.py at the root": _app(
        f"{APP}{HELLO}", "module-not-found-error", "No module named 'azure.functions'",
        hint="azure/__init__.py hides whatever else", files={"azure/__init__.py": b""},
        inspect=("AZP106",), check=("AZP106",),
    ),
    "the environment is read at import": _app(
        f"import os\nKEY = os.environ['SERVICE_KEY']\n{APP}{HELLO}", "key-error", "SERVICE_KEY",
        "function_app.py:2", hint="give it with -e SERVICE_KEY=VALUE",
    ),
    "an exception at import": _app(
        f"{APP}{HELLO}1 / 0\n", "zero-division-error", "division by zero", "function_app.py:6",
    ),
    "a file is written beside the code": _app(
        f"{APP}{HELLO}import pathlib\n"
        "(pathlib.Path(__file__).parent / 'gone' / 'x').write_text('')\n",
        "file-not-found-error", "gone/x", "function_app.py:7",
    ),
    "sys.exit at import": _app(
        f"import sys\n{APP}{HELLO}sys.exit('bye')\n", "exit", "sys.exit(bye)", "function_app.py:7",
    ),
    "os._exit at import": _app(
        f"import os\n{APP}{HELLO}os._exit(0)\n", "ended", "with exit code 0",
    ),
    "a crash at import": _app(
        f"import ctypes\n{APP}{HELLO}ctypes.string_at(0)\n", "crash", "SIGSEGV",
        "function_app.py:7",
    ),
    "killed at import": _app(
        f"import os, signal\n{APP}{HELLO}os.kill(os.getpid(), signal.SIGKILL)\n", "crash",
        "SIGKILL", hint="not enough memory",
    ),
    "a hang at import": _app(
        f"import time\n{APP}{HELLO}while True:\n    time.sleep(1)\n", "hang",
        "does not finish loading within 2 s", "function_app.py:8", timeout=2,
    ),
    "a stop at import": _app(
        f"import os, signal\n{APP}{HELLO}os.kill(os.getpid(), signal.SIGSTOP)\n", "hang",
        "does not finish loading within 1 s", timeout=1,
    ),
    "a hang with all files closed": _app(
        f"import os, time\n{APP}{HELLO}os.closerange(0, 256)\ntime.sleep(60)\n", "hang",
        "does not finish loading within 1 s", timeout=1,
    ),
    "a fork at import": _app(
        f"import os\n{APP}{HELLO}os.fork()\n", "fork", "the child goes on as a second worker",
    ),
    "all files closed, and the end": _app(
        f"import os\n{APP}{HELLO}os.closerange(0, 256)\nos.abort()\n", "crash", "SIGABRT",
    ),
    "a function that raises": _app(
        f"{APP}@app.route()\ndef hello(req: func.HttpRequest) -> str:\n    return [][1]\n",
        "index-error", "hello, invoked: IndexError", "function_app.py:5", invoke=("hello",),
    ),
    "a function that ends the process": _app(
        f"import sys\n{APP}@app.route()\ndef hello(req: func.HttpRequest) -> str:\n"
        "    sys.exit(3)\n", "exit", "while hello is invoked: sys.exit(3)", "function_app.py:6",
        invoke=("hello",),
    ),
    "a function that does not answer": _app(
        f"import time\n{APP}@app.route()\ndef hello(req: func.HttpRequest) -> str:\n"
        "    time.sleep(60)\n", "hang", "hello, invoked, does not answer", "function_app.py:6",
        timeout=2, invoke=("all-http",),
    ),
    "what only the worker on Azure brings": _app(
        f"import dateutil\n{APP}{HELLO}", "module-not-found-error", "No module named 'dateutil'",
        "function_app.py:1", verdict="unverified",
    ),
}  # fmt: skip


def table_lines() -> list[str]:
    """The table of docs/verify.md."""
    lines = ["| the package has | verify says | inspect | check |", "|---|---|---|---|"]
    for name, app in BROKEN_APPS.items():
        said = f"`{app.code}`" + ("" if app.verdict == "failed" else f", {app.verdict}")
        lines.append(f"| {name} | {said} | {_codes(app.inspect)} | {_codes(app.check)} |")
    return lines


def _codes(codes: tuple[str, ...]) -> str:
    return ", ".join(codes) or "-"


if __name__ == "__main__":
    sys.stdout.write("\n".join([*table_lines(), ""]))
