"""What calls do: they make apps and blueprints, register functions, and hide what they do."""

from __future__ import annotations

import ast
import sys
from itertools import chain
from typing import TYPE_CHECKING

from azpack.app.functions import decorating
from azpack.app.functions.values import (
    App,
    ClassValue,
    Constant,
    Decorator,
    External,
    FunctionValue,
    Items,
    Method,
    ModuleValue,
    Parameters,
    Unknown,
    Value,
    load_decorators,
)

if TYPE_CHECKING:
    from azpack.app.functions.evaluation import Evaluation

__all__ = ["REGISTERING", "escape", "kind_of", "value_of_call"]

REGISTERING = ("register_functions", "register_blueprint")
_DYNAMIC_CALLS = frozenset(f"builtins.{it}" for it in ("exec", "eval", "globals", "setattr"))
# What makes an orchestrator or an entity of the v1 model: a function of one parameter.
_DURABLE = frozenset(f"azure.durable_functions.{it}.create" for it in ("Orchestrator", "Entity"))
_COLLECTING = frozenset(f"builtins.{it}" for it in ("tuple", "list", "set", "sorted", "reversed"))


def value_of_call(evaluation: Evaluation, node: ast.Call, scope: dict[str, Value]) -> Value:
    """What a call returns; what it does to apps is noted."""
    called = evaluation.value(node.func, scope)
    given = evaluation.items_of(node.args, scope).items
    named = {it.arg: evaluation.value(it.value, scope) for it in node.keywords}
    complete = None not in named and not any(isinstance(it, ast.Starred) for it in node.args)
    keywords = {name: value for name, value in named.items() if name is not None}
    if isinstance(called, Method):
        return _call_method(evaluation, called, given, keywords, node, complete=complete)
    if isinstance(called, Decorator) and len(given) == 1 and not named:
        return decorating.decorate(evaluation, called, given[0], node)
    if isinstance(called, External) and (kind := kind_of(called)):
        return _make_app(evaluation, kind, called.name, given, keywords, node)
    if isinstance(called, ClassValue):
        return _make_own(evaluation, called, node)
    if isinstance(called, External):
        return _call_external(evaluation, called, given, keywords, node)
    for value in (*given, *named.values()):
        escape(evaluation, value, node)
    if isinstance(called, FunctionValue):
        return _call_function(evaluation, called, node)
    return Unknown(evaluation.is_maybe_app(called))


def _call_function(evaluation: Evaluation, called: FunctionValue, node: ast.Call) -> Value:
    path = called.module.path or ""
    _forget_globals(evaluation, called)
    may_be_app = bool(path) and evaluation.reach.is_marked(path)
    if called.node is not None and any(isinstance(it, ast.FunctionDef) for it in called.node.body):
        return FunctionValue(None, None, called.node, called.module, node.lineno,
                             called.calls + 1)  # fmt: skip
    return Unknown(may_be_app)


def _forget_globals(evaluation: Evaluation, called: FunctionValue) -> None:
    """Take what a function assigns to names of its module, which may be an app, for unknown."""
    body, path = called.node, called.module.path
    if body is None or path is None:
        return
    names = evaluation.global_names.get(body)
    if names is None:
        names = ()
        if evaluation.reach.has_marks(path, body.lineno, body.end_lineno or body.lineno):
            found = (it.names for it in evaluation.walk(body) if isinstance(it, ast.Global))
            names = tuple(dict.fromkeys(chain.from_iterable(found)))
        evaluation.global_names[body] = names
    evaluation.spend(len(names))
    called.module.names.update((name, Unknown(True)) for name in names)


def _call_external(
    evaluation: Evaluation,
    called: External,
    given: list[Value],
    named: dict[str, Value],
    node: ast.Call,
) -> Value:
    name = called.name
    if name in _COLLECTING and len(given) == 1 and isinstance(given[0], Items):
        evaluation.spend(len(given[0].items))
        return Items(list(given[0].items))
    if name == "importlib.import_module":
        return _import_named(evaluation, given, node)
    if name in ("builtins.__import__", "runpy.run_module", "runpy.run_path"):
        evaluation.imports_dynamically = True
    if name in _DYNAMIC_CALLS:
        evaluation.here(node, f"{name.rpartition('.')[2]}() may do anything")
        evaluation.module.star.add("?")
    if name == "builtins.getattr" and len(given) > 1:
        return _getattr(evaluation, given[0], given[1])
    if name in _DURABLE:
        parameters = Parameters(names=("context",), annotations={})
        return FunctionValue("handle", parameters, None, evaluation.module, node.lineno)
    for value in (*given, *named.values()):
        escape(evaluation, value, node)
    if name.startswith("azure.functions."):
        return External(f"{name}()")
    flat = [it for value in given for it in (value.items if isinstance(value, Items) else [value])]
    evaluation.spend(len(flat))
    return Unknown(_may_make_app(name) or any(kind_of(it) for it in flat))


def _import_named(evaluation: Evaluation, given: list[Value], node: ast.Call) -> Value:
    if len(given) == 1 and isinstance(given[0], Constant) and isinstance(given[0].value, str):
        return evaluation.load(given[0].value) or External(given[0].value)
    evaluation.imports_dynamically = True
    evaluation.here(node, "which module is imported can't be known without running it")
    return Unknown(may_be_app=True)


def _getattr(evaluation: Evaluation, base: Value, name: Value) -> Value:
    if isinstance(name, Constant) and isinstance(name.value, str):
        if isinstance(base, ModuleValue):
            return evaluation.resolved(evaluation.attribute(base, name.value))
        if isinstance(base, App):
            return Method(base, name.value)
    if isinstance(base, App):
        base.doubts.append("")
    return Unknown(isinstance(base, ModuleValue | App) or evaluation.is_maybe_app(base))


def kind_of(value: Value) -> str | None:
    """What kind of app a class makes."""
    if isinstance(value, ClassValue):
        return value.kind
    if isinstance(value, External):
        name = value.name.replace("azure.functions.decorators.", "azure.functions.")
        name = name.replace("azure.functions.function_app.", "azure.functions.")
        kind: str | None = load_decorators()["classes"].get(name)
        return kind
    return None


def _make_app(
    evaluation: Evaluation,
    kind: str,
    name: str,
    given: list[Value],
    named: dict[str, Value],
    node: ast.Call,
) -> App:
    made = App(
        kind=kind,  # type: ignore[arg-type]
        class_name=name.rpartition(".")[2],
        path=evaluation.module.path or "",
        line=node.lineno,
        certain=evaluation.certain,
    )
    at = 1 if kind == "site" else 0
    level = named.get("http_auth_level", given[at] if len(given) > at else Constant("function"))
    made.auth_level = decorating.enum_text(level)
    evaluation.apps.append(made)
    if kind == "site":
        name_of = named.get("function_name", given[2] if len(given) > 2 else None)
        decorating.add_site(made, name_of)
    return made


def _make_own(evaluation: Evaluation, called: ClassValue, node: ast.Call) -> Value:
    if called.kind is None:
        return Unknown()
    if called.kind == "?":
        return Unknown(may_be_app=True)
    made = _make_app(evaluation, called.kind, called.name, [], {}, node)
    made.doubts.append(evaluation.here(node, f"{called.name} may add functions of its own"))
    return made


def _call_method(
    evaluation: Evaluation,
    method: Method,
    given: list[Value],
    named: dict[str, Value],
    node: ast.Call,
    *,
    complete: bool,
) -> Value:
    owner, name = method.owner, method.name
    if isinstance(owner, Items):
        return _call_on_items(evaluation, owner, name, given, node)
    if name in REGISTERING:
        for value in (*given, *named.values()):
            _register(evaluation, owner, value, node)
        return Constant(None)
    row = decorating.row_of(name)
    if row is None:
        for value in (*given, *named.values()):
            escape(evaluation, value, node)
        return Unknown()
    arguments = dict(zip(row["parameters"], given, strict=False))
    arguments.update(named)
    return Decorator(owner, name, arguments, node.lineno, complete)


def _call_on_items(
    evaluation: Evaluation, owner: Items, name: str, given: list[Value], node: ast.Call
) -> Value:
    if name in ("append", "add") and len(given) == 1 and evaluation.certain:
        owner.items.append(given[0])
    elif name in ("extend", "update") and given and isinstance(given[0], Items):
        evaluation.spend(len(given[0].items))
        owner.items.extend(given[0].items)
    else:
        escape(evaluation, owner, node)
        escape(evaluation, Items(given), node)
    return Unknown()


def _register(evaluation: Evaluation, app: App, value: Value, node: ast.Call) -> None:
    if not isinstance(value, App):
        if not isinstance(value, Constant):
            app.doubts.append(evaluation.here(node, "which blueprint is registered can't be known"))
        return
    value.registered = True
    evaluation.spend(len(value.doubts) + len(value.functions))
    app.doubts.extend(value.doubts)
    if not evaluation.certain or not value.certain:
        app.doubts.append(evaluation.here(node, "whether it is registered can't be known"))
        app.functions.extend(decorating.uncertain(it) for it in value.functions)
    else:
        app.functions.extend(value.functions)


def escape(evaluation: Evaluation, value: Value, node: ast.AST) -> None:
    """Doubt an app that is handed to what is not followed."""
    pending, seen = [value], set[Items]()
    while pending:
        value = evaluation.resolved(pending.pop())
        if isinstance(value, Method):  # app.register_functions, handed to map()
            value = value.owner
        elif isinstance(value, Decorator):
            value = value.app
        if isinstance(value, App):
            what = f"what is done with the {value.class_name} can't be known"
            value.doubts.append(evaluation.here(node, what))
        elif isinstance(value, Items) and value not in seen:
            evaluation.spend(len(value.items))
            seen.add(value)
            pending += value.items
            last = value.items[-1] if value.items else None
            if not (isinstance(last, Unknown) and last.may_be_app):
                value.items.append(Unknown(True))  # what it may get there


def _may_make_app(name: str) -> bool:
    """Whether a library's class or function may return an app: it is called so, or is no class."""
    package, _, last = name.rpartition(".")
    if package.partition(".")[0] in sys.stdlib_module_names or not package:
        return False
    words = last.replace("_", "").lower()
    return "functionapp" in words or words == "dfapp" or (last.islower() and "app" in words)
