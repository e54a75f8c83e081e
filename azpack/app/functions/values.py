"""What a name in an app's code can stand for, as far as it is known without running anything."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import ast

    from azpack.app.functions import Binding

__all__ = [
    "App",
    "Builder",
    "ClassValue",
    "Constant",
    "Decorator",
    "External",
    "FunctionValue",
    "Imported",
    "Items",
    "Method",
    "ModuleValue",
    "Parameters",
    "Unknown",
    "Value",
    "load_decorators",
]


@dataclass(slots=True, eq=False)
class Unknown:
    """Anything; `may_be_app` unless it is known that it is no app."""

    may_be_app: bool = False


@dataclass(slots=True)
class External:
    """What comes from outside of the app: `azure.functions.FunctionApp`, `builtins.str`."""

    name: str


@dataclass(slots=True)
class Constant:
    """A value that the code spells out."""

    value: Any


@dataclass(slots=True, eq=False)
class Items:
    """A tuple, list, set, or the values of a dict."""

    items: list[Value]


@dataclass(slots=True, eq=False)
class ModuleValue:
    """A module or package of the app; `path` is None for a namespace package."""

    name: str
    path: str | None
    names: dict[str, Value] = field(default_factory=dict)
    star: set[str] = field(default_factory=set)
    lines: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Imported:
    """A name of a module that has not been looked into yet."""

    module: ModuleValue
    name: str


@dataclass(slots=True, kw_only=True)
class Parameters:
    """A function's parameters with their annotations, and that of what it returns, "return".

    `scope` is the module, whose names those in annotations are; None where they are of the function
    alone, as the parameters of types are.
    """

    names: tuple[str, ...]
    annotations: dict[str, ast.expr]
    scope: ModuleValue | None = None

    @classmethod
    def of(cls, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: ModuleValue) -> Parameters:
        """Those of a definition, as `inspect.signature` would list them."""
        found = node.args
        ordered = [*found.posonlyargs, *found.args]
        ordered += [found.vararg] if found.vararg else []
        ordered += found.kwonlyargs
        ordered += [found.kwarg] if found.kwarg else []
        annotations = {it.arg: it.annotation for it in ordered if it.annotation is not None}
        if node.returns is not None:
            annotations["return"] = node.returns
        return cls(
            names=tuple(it.arg for it in ordered),
            annotations=annotations,
            scope=None if getattr(node, "type_params", None) else scope,
        )


@dataclass(slots=True, eq=False)
class FunctionValue:
    """A function of the app; `name` and `parameters` are None where a decorator hides them."""

    name: str | None
    parameters: Parameters | None
    node: ast.FunctionDef | ast.AsyncFunctionDef | None
    module: ModuleValue
    line: int
    # How often it was called to make a decorator: `@retry(3)`.
    calls: int = 0


@dataclass(slots=True, eq=False)
class ClassValue:
    """A class of the app, and what kind of app its instances are, if any."""

    name: str
    kind: str | None
    names: dict[str, Value]


@dataclass(slots=True, eq=False)
class App:
    """An app or blueprint, and the functions that are added to it.

    `doubts` says what may add others, and `certain` is false if it may never be made.
    """

    kind: Literal["app", "site", "blueprint"]
    class_name: str
    path: str
    line: int
    certain: bool
    functions: list[Builder] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    registered: bool = False
    auth_level: str | None = "function"


@dataclass(slots=True, eq=False)
class Builder:
    """A function that is being added to an app, decorator by decorator, from the lowest one up."""

    owner: App
    name: str | None
    parameters: Parameters | None
    path: str
    line: int
    certain: bool
    bindings: list[Binding] = field(default_factory=list)
    triggers: int = 0
    named: bool = False
    # A decorator takes what only running it would tell, so what seems to be missing may be there.
    doubtful: bool = False


@dataclass(slots=True)
class Method:
    """A method of an app, or of a list."""

    owner: App | Items
    name: str


@dataclass(slots=True, eq=False)
class Decorator:
    """A method of an app that was called, and is to be applied to a function."""

    app: App
    name: str
    arguments: dict[str, Value]
    line: int
    # Arguments that a `**` hides.
    complete: bool = True


Value = (
    Unknown
    | External
    | Constant
    | Items
    | ModuleValue
    | Imported
    | FunctionValue
    | ClassValue
    | App
    | Builder
    | Method
    | Decorator
)


@cache
def load_decorators() -> dict[str, Any]:
    """The table of the libraries' classes and decorators, which names its source."""
    table: dict[str, Any] = json.loads(Path(__file__).with_name("decorators.json").read_bytes())
    return table
