"""What decorators make of a function: bindings, a name, or something that hides it."""

from __future__ import annotations

import ast
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from azpack.app.functions import Binding
from azpack.app.functions.values import (
    App,
    Builder,
    Constant,
    Decorator,
    External,
    FunctionValue,
    Items,
    Method,
    Parameters,
    Unknown,
    Value,
    load_decorators,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azpack.app.functions.evaluation import Evaluation

    Returned = ast.FunctionDef | ast.AsyncFunctionDef | str | None

__all__ = ["add_site", "decorate", "enum_text", "row_of", "uncertain"]

# Decorators of the standard library whose result is the function, or looks like it to the worker.
_TRANSPARENT = frozenset(
    f"{module}.{name}"
    for module in ("typing", "typing_extensions")
    for name in ("no_type_check", "final", "override")
)
# A decorator of Durable Functions that adds an activity of its own, the first time it is used.
_AGENT = "durable_openai_agent_orchestrator"
_AGENT_ACTIVITY = "run_model_activity"
# What mcp_tool and mcp_tool_property take, which do more than to add a binding.
_SPECIAL: dict[str, Any] = {
    "mcp_tool": {"parameters": ["metadata", "use_result_schema"], "bindings": []},
    "mcp_tool_property": {
        "parameters": ["arg_name", "description", "property_type", "is_required", "as_array"],
        "bindings": [],
    },
    _AGENT: {"parameters": [], "bindings": []},
}
# What inspect.signature looks at beside the parameters.
_OF_SIGNATURES = ("__annotations__", "__signature__", "__wrapped__")
# Durable Functions calls such a function by a function of its own, with this parameter.
_WRAPPING = ("orchestration_trigger", "entity_trigger")
_WRAPPER = Parameters(names=("context",), annotations={})


def row_of(name: str) -> dict[str, Any] | None:
    """What the library's decorator of this name takes and adds."""
    row: dict[str, Any] | None = load_decorators()["decorators"].get(name) or _SPECIAL.get(name)
    return row


def decorate(evaluation: Evaluation, decorator: Value, made: Value, node: ast.expr) -> Value:
    """What a decorator makes of what the ones below it made."""
    made = evaluation.resolved(made)
    if isinstance(decorator, Decorator | Method) and decorator.name == _AGENT:
        _add_agent(evaluation, decorator, node.lineno)
        return made
    if isinstance(decorator, Decorator):
        return _add(evaluation, decorator, made)
    if isinstance(decorator, Method):
        if row_of(decorator.name) is not None and isinstance(made, FunctionValue):
            evaluation.bare.append((decorator, made, node.lineno))
        return Unknown()
    if isinstance(decorator, External) and decorator.name in _TRANSPARENT:
        return made
    if isinstance(made, FunctionValue):
        if isinstance(decorator, FunctionValue):
            return _wrapped(evaluation, decorator, made)
        return FunctionValue(None, None, None, made.module, made.line)
    return Unknown()


def _add(evaluation: Evaluation, decorator: Decorator, made: Value) -> Value:
    """Add what an app's decorator says to the function, which is the app's from then on."""
    app, name = decorator.app, decorator.name
    if name == "mcp_tool_property":
        return made
    if isinstance(made, Builder):
        builder = made
        if builder.owner is not app or not app.functions or app.functions[-1] is not builder:
            # The libraries take the last function of the app instead.
            for each in (app, builder.owner):
                each.doubts.append(_sentence(evaluation, builder, "decorators of two apps"))
            builder.doubtful = True
        elif name in _WRAPPING:
            builder.doubtful = True
    else:
        builder = evaluation.new_builder(app, made, decorator.line)
    if name == "function_name":
        _name(builder, decorator)
    elif name == "mcp_tool":
        _make_tool(builder, decorator)
    row = row_of(name) or {}
    if name in _WRAPPING and not builder.bindings:
        builder.parameters = _WRAPPER
    if name == "durable_client_input":
        _free_client(builder, decorator)
    for number, entry in enumerate(row["bindings"]):
        builder.bindings.append(_binding(entry, row if number == 0 else {}, decorator))
        builder.triggers += entry["kind"] == "trigger"
    return builder


def _add_agent(evaluation: Evaluation, decorator: Decorator | Method, line: int) -> None:
    app = decorator.app if isinstance(decorator, Decorator) else decorator.owner
    evaluation.spend(len(app.functions) if isinstance(app, App) else 0)
    if isinstance(app, App) and not any(it.name == _AGENT_ACTIVITY for it in app.functions):
        builder = evaluation.new_builder(app, Unknown(), line)
        builder.name = _AGENT_ACTIVITY
        builder.parameters = Parameters(names=("input",), annotations={})
        builder.triggers = 1
        builder.bindings.append(
            Binding(name="input", type="activityTrigger", direction="in", line=line)
        )


def _sentence(evaluation: Evaluation, builder: Builder, what: str) -> str:
    return evaluation.doubt(builder.path, builder.line, what)


def _name(builder: Builder, decorator: Decorator) -> None:
    if builder.named:  # the lowest one counts
        return
    builder.named = True
    value = decorator.arguments.get("name")
    known = isinstance(value, Constant) and isinstance(value.value, str)
    builder.name = value.value if known and isinstance(value, Constant) else None


def _make_tool(builder: Builder, decorator: Decorator) -> None:
    bound = tuple(it.name for it in builder.bindings if it.name is not None)
    builder.parameters = Parameters(names=(*bound, "context"), annotations={})
    builder.triggers += 1
    builder.bindings.append(
        Binding(
            name="context",
            type="mcpToolTrigger",
            direction="in",
            line=decorator.line,
            settings=MappingProxyType({"toolName": builder.name} if builder.name else {}),
        )
    )


def _free_client(builder: Builder, decorator: Decorator) -> None:
    """Forget the annotation of a durable client, which the library replaces."""
    name = decorator.arguments.get("client_name")
    if builder.parameters is not None and isinstance(name, Constant):
        left = {k: v for k, v in builder.parameters.annotations.items() if k != name.value}
        builder.parameters = replace(builder.parameters, annotations=left)


def _binding(entry: Mapping[str, Any], row: Mapping[str, Any], decorator: Decorator) -> Binding:
    arguments = decorator.arguments
    type_ = entry["type"]
    if type_ is None:
        type_ = _text(arguments.get(entry.get("type_from", "")))
    source = entry["name_from"]
    if source in arguments:
        name = _text(arguments[source])
    else:
        name = entry.get("name") if decorator.complete else None
    return Binding(
        name=name,
        type=type_,
        direction="out" if entry["kind"] == "out" else "in",
        line=decorator.line,
        settings=MappingProxyType(_settings(row, decorator)),
    )


def _settings(row: Mapping[str, Any], decorator: Decorator) -> dict[str, Any]:
    """The other arguments that are known, by the names of function.json."""
    keys = row.get("settings", {})
    found: dict[str, Any] = {}
    for name, value in decorator.arguments.items():
        if name == "methods" and decorator.name == "route":
            if isinstance(value, Items):
                found["methods"] = [text.upper() for it in value.items if (text := enum_text(it))]
        elif name == "auth_level":
            found["authLevel"] = enum_text(value)
        elif (key := keys.get(name)) is not None and key not in ("type", "direction"):
            found[key] = value.value if isinstance(value, Constant) else None
    return {key: value for key, value in found.items() if value is not None or key == "route"}


def _text(value: Value | None) -> str | None:
    return value.value if isinstance(value, Constant) and isinstance(value.value, str) else None


def enum_text(value: Value) -> str | None:
    """The text of an enumeration's member, or of the string in its place, in lower case."""
    if isinstance(value, External):
        return value.name.rpartition(".")[2].lower()
    text = _text(value)
    return text.lower() if text is not None else None


def add_site(app: App, name: Value | None) -> None:
    """Add the one function that answers for a whole ASGI or WSGI site."""
    methods = list(load_decorators()["methods"])
    settings = {"route": "/{*route}", "methods": methods, "authLevel": app.auth_level}
    app.functions.append(
        Builder(
            app,
            "http_app_func" if name is None else _text(name),
            Parameters(names=("req", "context"), annotations={}),
            app.path,
            app.line,
            app.certain,
            bindings=[
                Binding(name="req", type="httpTrigger", direction="in", line=app.line,
                        settings=MappingProxyType(settings)),
                Binding(name="$return", type="http", direction="out", line=app.line),
            ],
            triggers=1,
            named=True,
        )
    )  # fmt: skip


def uncertain(builder: Builder) -> Builder:
    """The same function, where it may not be registered."""
    return replace(builder, certain=False)


def _wrapped(
    evaluation: Evaluation, decorator: FunctionValue, made: FunctionValue
) -> FunctionValue:
    """What a decorator of the app makes of a function: what it returns tells."""
    hidden = FunctionValue(None, None, None, made.module, made.line)
    if decorator.node is None:
        return hidden
    body = decorator.node
    for _ in range(decorator.calls):
        inner = _returned_once(evaluation, body)
        if inner is None or isinstance(inner, str):
            return hidden
        body = inner
    inner = _returned_once(evaluation, body)
    if isinstance(inner, str):
        first = [*body.args.posonlyargs, *body.args.args][:1]
        return made if first and first[0].arg == inner else hidden
    if inner is None:
        return hidden
    if not inner.decorator_list:
        parameters = Parameters.of(inner, decorator.module)
        return FunctionValue(inner.name, parameters, inner, decorator.module, made.line)
    return made if len(inner.decorator_list) == 1 and _is_wraps(inner.decorator_list[0]) else hidden


def _returned_once(
    evaluation: Evaluation, node: ast.FunctionDef | ast.AsyncFunctionDef
) -> Returned:
    if node not in evaluation.returned:
        evaluation.returned[node] = _returned(evaluation, node)
    return evaluation.returned[node]


def _returned(evaluation: Evaluation, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Returned:
    """What a function returns, at its end and nowhere else: an inner function, or a name."""
    outer = [it for it in node.body if isinstance(it, ast.Return)]
    inside = [it for it in node.body if isinstance(it, ast.If | ast.Try | ast.With | ast.For)]
    if len(outer) != 1 or inside or not isinstance(outer[0].value, ast.Name):
        return None
    name = outer[0].value.id
    inner = [
        it
        for it in node.body
        if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef) and it.name == name
    ]
    if len(inner) > 1 or _is_changed(evaluation, node, name):
        return None
    return inner[0] if inner else name


def _is_changed(
    evaluation: Evaluation, node: ast.FunctionDef | ast.AsyncFunctionDef, name: str
) -> bool:
    """Whether the body assigns the name anew, or changes what is read of that function."""
    given = {it.arg for it in ast.walk(node.args) if isinstance(it, ast.arg)}
    for inner in (it for statement in node.body for it in evaluation.walk(statement)):
        if isinstance(inner, ast.Name):
            changed = inner.id == name and isinstance(inner.ctx, ast.Store)
        elif isinstance(inner, ast.Attribute):
            renamed = inner.attr == "__name__" and isinstance(inner.ctx, ast.Store)
            changed = renamed or inner.attr in _OF_SIGNATURES
        elif isinstance(inner, ast.Call):
            # Who is handed what is decorated keeps it for later; who is handed the inner function,
            # such as functools.update_wrapper, is to change it.
            taken = any(isinstance(it, ast.Name) and it.id == name for it in inner.args)
            changed = taken and (name not in given or _is_setter(inner.func))
        else:
            changed = False
        if changed:
            return True
    return False


def _is_setter(called: ast.expr) -> bool:
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in ("setattr", "delattr", "update_wrapper")


def _is_wraps(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    return (isinstance(called, ast.Name) and called.id == "wraps") or (
        isinstance(called, ast.Attribute) and called.attr == "wraps"
    )
