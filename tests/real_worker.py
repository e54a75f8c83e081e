"""What Azure's own worker libraries make of apps: run by the interpreter that has them.

It reads a job on each line of standard input, ["v2", FOLDER, SCRIPT] or ["v1", FOLDER, FUNCTION],
and answers with a line of JSON: the functions, or the error. Each job is a process of its own,
forked off when the libraries are imported, which takes most of the time.
"""

from __future__ import annotations

import json
import os
import sys
from types import SimpleNamespace
from typing import Any

PROTOS = SimpleNamespace(
    BindingInfo=SimpleNamespace(**{"in": 0, "out": 1, "inout": 2, "undefined": 0})
)


def read_v2(script: str) -> dict[str, Any]:
    """The functions that the worker of the v2 model would send to the host."""
    from azure_functions_runtime.bindings import meta
    from azure_functions_runtime.functions import Registry
    from azure_functions_runtime.loader import index_function_app

    meta.load_binding_registry()
    registry = Registry()
    found = []
    for function in index_function_app(script):
        registry.add_indexed_function(function, PROTOS)
        bindings = [json.loads(text) for text in function.get_raw_bindings()]
        found.append({"name": function.get_function_name(), "bindings": bindings})
    return {"functions": found}


def read_v1(names: list[str]) -> dict[str, Any]:
    """Whether the worker of the v1 model would load each function."""
    from azure_functions_runtime_v1.bindings import meta
    from azure_functions_runtime_v1.functions import Registry
    from azure_functions_runtime_v1.loader import install, load_function

    meta.load_binding_registry()
    install()
    registry = Registry()
    results = {}
    for name in names:
        with open(f"{name}/function.json", encoding="utf-8") as file:
            table = json.load(file)
        folder = os.path.abspath(name)
        script = os.path.normpath(os.path.join(folder, table.get("scriptFile", "__init__.py")))
        bindings = {
            it["name"]: SimpleNamespace(
                type=it["type"],
                direction={"in": 0, "out": 1, "inout": 2}[it.get("direction", "in")],
                data_type=0,
            )
            for it in table["bindings"]
        }
        try:
            function = load_function(name, folder, script, table.get("entryPoint"))
            registry.add_function(
                name, function, SimpleNamespace(name=name, directory=folder, bindings=bindings),
                PROTOS,
            )  # fmt: skip
        except Exception as error:
            results[name] = f"{type(error).__name__}: {error}"
        else:
            results[name] = ""
    return {"functions": results}


def answer(model: str, folder: str, *names: str) -> dict[str, Any]:
    """The answer to one job, which leaves the process unfit for another one."""
    os.chdir(folder)
    sys.path.insert(0, os.getcwd())
    sys.dont_write_bytecode = True
    try:
        return read_v2(names[0]) if model == "v2" else read_v1(list(names))
    except BaseException as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Answer one job after another."""
    import azure.durable_functions  # noqa: F401
    import azure_functions_runtime.loader  # noqa: F401
    import azure_functions_runtime_v1.loader  # noqa: F401

    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.write(writing, json.dumps(answer(*json.loads(line))).encode() + b"\n")
            os._exit(0)
        os.close(writing)
        with open(reading, "rb") as pipe:
            sys.stdout.buffer.write(pipe.read())
        sys.stdout.buffer.flush()
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
