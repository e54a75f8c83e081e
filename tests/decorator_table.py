"""Make azpack's table of decorators out of the libraries that have them.

`python -m tests.decorator_table` writes it. It calls each decorator with a marker for every
argument, and looks where in the bindings the markers come out again.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import json
from pathlib import Path
from typing import Any

TABLE = Path(__file__).resolve().parent.parent / "azpack" / "app" / "functions" / "decorators.json"
# Decorators that change what function is registered: what they do is written in Python.
SPECIAL = ("mcp_tool",)


def make_table() -> dict[str, Any]:
    """The table, from the installed azure-functions and azure-functions-durable."""
    import azure.durable_functions as df
    import azure.functions as func

    classes = {
        f"{library.__name__}.{name}": _kind(value, func)
        for library in (func, df)
        for name, value in sorted(vars(library).items())
        if inspect.isclass(value) and issubclass(value, func.DecoratorApi)
    }
    decorators: dict[str, Any] = {}
    for blueprint in (df.Blueprint, func.FunctionApp):
        for name, method in inspect.getmembers(blueprint, inspect.isfunction):
            if not name.startswith("_") and name not in decorators and name not in SPECIAL:
                made = _describe(blueprint(), name, method)
                if made is not None:
                    decorators[name] = made
    return {
        "source": "https://pypi.org/project/azure-functions, .../azure-functions-durable",
        "versions": {
            name: importlib.metadata.version(name)
            for name in ("azure-functions", "azure-functions-durable")
        },
        "classes": {name: kind for name, kind in classes.items() if kind},
        "exports": sorted(func.__all__),
        "methods": [method.name for method in func.HttpMethod],
        "decorators": dict(sorted(decorators.items())),
    }


def _kind(cls: type, func: Any) -> str:
    """What an instance is: an app, a blueprint, or an app with one function for a whole site."""
    if inspect.isabstract(cls) or cls.__name__ in ("DecoratorApi", "ExternalHttpFunctionApp"):
        return ""
    if issubclass(cls, func.ExternalHttpFunctionApp):
        return "site"
    if issubclass(cls, func.FunctionApp.__mro__[1]):
        return "app"
    return "blueprint" if "Blueprint" in cls.__name__ else ""


def _describe(owner: Any, name: str, method: Any) -> dict[str, Any] | None:
    """A decorator's parameters, and the bindings it adds; None for other methods."""
    parameters = list(inspect.signature(method).parameters.values())[1:]
    plain = [p for p in parameters if p.kind is not p.VAR_KEYWORD]
    needed = {p.name: f"<{p.name}>" for p in plain if p.default is p.empty}

    def main() -> None: ...

    async def client() -> None: ...

    # One of them (event_grid_output) wants one more of its optional arguments.
    optional = [{p.name: f"<{p.name}>"} for p in plain if p.default is not p.empty]
    for more in ({}, *optional):
        try:
            builder = getattr(owner, name)(**needed, **more)(client if "client" in name else main)
            function = builder._function
        except ValueError:
            continue
        except (AttributeError, TypeError, ImportError):
            return None
        needed.update(more)
        break
    else:
        return None
    settings = {p.name: key for p in plain if (key := _key_of(owner, name, needed, p, main))}
    bindings = [_binding(binding, needed, plain) for binding in function.get_bindings()]
    return {
        "parameters": [p.name for p in plain],
        "extra": len(plain) < len(parameters),
        "bindings": bindings,
        "settings": settings,
    }


def _binding(binding: Any, needed: dict[str, str], parameters: list[Any]) -> dict[str, Any]:
    from azure.functions.decorators.core import Trigger

    found: dict[str, Any] = {
        "kind": "trigger" if isinstance(binding, Trigger) else ("in", "out")[binding.direction],
        "type": binding.type,
    }
    if binding.type in needed.values():
        found["type"] = None
        found["type_from"] = binding.type.strip("<>")
    source = next((p for p in parameters if binding.name in (needed.get(p.name), p.default)), None)
    found["name_from"] = source.name if source is not None else None
    if source is None or source.default is not source.empty:
        found["name"] = binding.name
    return found


def _key_of(owner: Any, name: str, needed: dict[str, str], parameter: Any, main: Any) -> str:
    """Under which key an argument stands in the first binding of the decorator."""
    from azure.functions.decorators.core import AuthLevel

    async def client() -> None: ...

    enum = "auth_level" in parameter.name
    marker: Any = AuthLevel.ADMIN if enum else f"<{parameter.name}>"
    try:
        given = {**needed, parameter.name: marker}
        builder = getattr(owner, name)(**given)(client if "client" in name else main)
    except (AttributeError, TypeError, KeyError, ValueError):
        return ""
    bindings = builder._function.get_bindings()
    if not bindings:
        return ""
    made = bindings[0].get_dict_repr()
    return next((key for key, value in made.items() if value == marker and key != "name"), "")


if __name__ == "__main__":
    TABLE.write_text(json.dumps(make_table(), indent=1) + "\n", encoding="utf-8")
