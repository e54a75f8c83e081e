"""What statements do to the names of a module, class or branch, and to the apps in them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from azpack.app.functions import decorating
from azpack.app.functions.branches import copied, either, truth_of
from azpack.app.functions.calls import REGISTERING, escape, kind_of
from azpack.app.functions.expressions import MOST_ROUNDS, bind
from azpack.app.functions.values import (
    App,
    Builder,
    ClassValue,
    Constant,
    Decorator,
    External,
    FunctionValue,
    Imported,
    Items,
    ModuleValue,
    Parameters,
    Unknown,
    Value,
    load_decorators,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from azpack.app.functions.evaluation import Evaluation

__all__ = ["STATEMENTS"]


def _run_Expr(evaluation: Evaluation, node: ast.Expr, scope: dict[str, Value]) -> None:
    evaluation.value(node.value, scope)


def _run_Assign(evaluation: Evaluation, node: ast.Assign, scope: dict[str, Value]) -> None:
    value = evaluation.value(node.value, scope)
    for target in node.targets:
        bind(evaluation, target, value, scope)


def _run_AnnAssign(evaluation: Evaluation, node: ast.AnnAssign, scope: dict[str, Value]) -> None:
    if node.value is not None:
        bind(evaluation, node.target, evaluation.value(node.value, scope), scope)


def _run_AugAssign(evaluation: Evaluation, node: ast.AugAssign, scope: dict[str, Value]) -> None:
    added = evaluation.value(node.value, scope)
    if isinstance(node.target, ast.Name):
        known = scope.get(node.target.id)
        if isinstance(known, Items) and isinstance(added, Items):
            evaluation.spend(len(added.items))
            known.items.extend(added.items)
        else:
            bind(evaluation, node.target, Unknown(), scope)


def _run_Delete(_: Evaluation, node: ast.Delete, scope: dict[str, Value]) -> None:
    for target in node.targets:
        if isinstance(target, ast.Name):
            scope.pop(target.id, None)


def _run_If(evaluation: Evaluation, node: ast.If, scope: dict[str, Value]) -> None:
    truth = truth_of(evaluation, node.test, scope)
    if truth is None:
        evaluation.value(node.test, scope)
        either(evaluation, [node.body, node.orelse], scope)
    else:
        evaluation.run(node.body if truth else node.orelse, scope)


def _run_Match(evaluation: Evaluation, node: ast.Match, scope: dict[str, Value]) -> None:
    evaluation.value(node.subject, scope)
    for inner in (it for case in node.cases for it in evaluation.walk(case.pattern)):
        name = inner.rest if isinstance(inner, ast.MatchMapping) else getattr(inner, "name", "")
        if name:
            evaluation.bind_name(name, Unknown(True), scope, node.lineno)
    either(evaluation, [*(case.body for case in node.cases), []], scope)


def _run_While(evaluation: Evaluation, node: ast.While, scope: dict[str, Value]) -> None:
    either(evaluation, [[*node.body, *node.orelse], []], scope)


def _run_For(evaluation: Evaluation, node: ast.For, scope: dict[str, Value]) -> None:
    over = evaluation.value(node.iter, scope)
    leaves = any(isinstance(it, ast.Break | ast.Continue) for it in evaluation.walk(node))
    if isinstance(over, Items) and len(over.items) <= MOST_ROUNDS and not leaves:
        for item in list(over.items):
            bind(evaluation, node.target, item, scope)
            evaluation.run(node.body, scope)
    else:
        if isinstance(over, Items):
            escape(evaluation, over, node)
        bind(evaluation, node.target, Unknown(), scope)
        either(evaluation, [node.body, []], scope)
    evaluation.run(node.orelse, scope)


def _run_With(evaluation: Evaluation, node: ast.With, scope: dict[str, Value]) -> None:
    for item in node.items:
        evaluation.value(item.context_expr, scope)
        if item.optional_vars is not None:
            bind(evaluation, item.optional_vars, Unknown(True), scope)
    evaluation.run(node.body, scope)


def _run_Try(evaluation: Evaluation, node: ast.Try, scope: dict[str, Value]) -> None:
    evaluation.run(node.body, scope)
    outer, evaluation.certain = evaluation.certain, False
    evaluation.run(node.orelse, scope)
    for handler in node.handlers:
        other = copied(evaluation, scope)
        evaluation.run(handler.body, other)
        for name, value in other.items():
            scope.setdefault(name, value)
    evaluation.certain = outer
    evaluation.run(node.finalbody, scope)


def _run_ClassDef(evaluation: Evaluation, node: ast.ClassDef, scope: dict[str, Value]) -> None:
    kinds = [kind_of(evaluation.value(base, scope)) for base in node.bases]
    names: dict[str, Value] = {}
    _in_class(evaluation, node, names, scope)
    kind = next((kind for kind in kinds if kind), None)
    if kind is None and any(
        evaluation.is_maybe_app(evaluation.value(it, scope)) for it in node.bases
    ):
        kind = "?"
    made: Value = ClassValue(node.name, kind, names)
    for decorator in reversed(node.decorator_list):
        applied = evaluation.value(decorator, scope)
        # Other decorators, such as dataclass, are taken to return the class.
        if isinstance(applied, Decorator) or isinstance(made, Builder):
            made = decorating.decorate(evaluation, applied, made, decorator)
    evaluation.bind_name(node.name, made, scope, node.lineno)


def _in_class(
    evaluation: Evaluation, node: ast.ClassDef, names: dict[str, Value], scope: dict[str, Value]
) -> None:
    """Run a class's body: it sees the module's names, which stay as they are."""
    inner = copied(evaluation, scope)
    evaluation.run(node.body, inner)
    names.update((name, value) for name, value in inner.items() if scope.get(name) is not value)


def _run_FunctionDef(
    evaluation: Evaluation, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: dict[str, Value]
) -> None:
    made: Value = FunctionValue(
        node.name, Parameters.of(node, evaluation.module), node, evaluation.module, node.lineno
    )
    _look_inside(evaluation, node, scope)
    for decorator in reversed(node.decorator_list):
        made = decorating.decorate(evaluation, evaluation.value(decorator, scope), made, decorator)
    evaluation.bind_name(node.name, made, scope, node.lineno)


def _look_inside(
    evaluation: Evaluation, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: dict[str, Value]
) -> None:
    """Doubt apps to which a function would add others when it is called."""
    path, last = evaluation.module.path, node.end_lineno or node.lineno
    if path is not None and not evaluation.reach.has_marks(path, node.lineno, last):
        return
    table = load_decorators()["decorators"]
    own = {it.arg for it in ast.walk(node.args) if isinstance(it, ast.arg)}
    for inner in (it for statement in node.body for it in evaluation.walk(statement)):
        if isinstance(inner, ast.Call) and _imports_by_name(inner.func):
            evaluation.imports_dynamically = True
            evaluation.here(inner, f"{node.name}() imports what can't be known without running it")
        if not isinstance(inner, ast.Attribute) or not isinstance(inner.value, ast.Name):
            continue
        if inner.attr not in table and inner.attr not in REGISTERING:
            continue
        name = inner.value.id
        app = None if name in own else evaluation.lookup(name, scope)
        if isinstance(app, App):
            app.doubts.append(evaluation.here(inner, f"{node.name}() adds functions when called"))


def _run_Import(evaluation: Evaluation, node: ast.Import, scope: dict[str, Value]) -> None:
    for alias in node.names:
        name = alias.name.removeprefix("__app__.")
        module: Value | None = evaluation.load(name)
        if module is None:
            module = External(name)
        if alias.asname is None:
            top = name.partition(".")[0]
            if isinstance(module, External):
                module = External(top)
            else:
                module = evaluation.modules[top]
            evaluation.bind_name(top, module, scope, node.lineno)
        else:
            evaluation.bind_name(alias.asname, module, scope, node.lineno)


def _run_ImportFrom(evaluation: Evaluation, node: ast.ImportFrom, scope: dict[str, Value]) -> None:
    source = _source_of(evaluation, node)
    module = evaluation.load(source) if source else None
    for alias in node.names:
        bound = alias.asname or alias.name
        if alias.name == "*":
            _import_star(evaluation, source, module, scope)
        elif module is not None:
            submodule = None
            if alias.name not in module.names:
                submodule = evaluation.load(f"{module.name}.{alias.name}")
            value: Value = submodule or Imported(module, alias.name)
            evaluation.bind_name(bound, value, scope, node.lineno)
        else:
            top = evaluation.load(alias.name) if node.level and not source else None
            value = top or External(f"{source}.{alias.name}")
            evaluation.bind_name(bound, value, scope, node.lineno)


def _source_of(evaluation: Evaluation, node: ast.ImportFrom) -> str:
    """The absolute name of the module that names are imported from; "" for the root."""
    name = node.module or ""
    if not node.level:
        return "" if name == "__app__" else name.removeprefix("__app__.")
    package = evaluation.module.name.split(".")
    path = evaluation.module.path or ""
    drop = node.level - 1 if path.endswith("/__init__.py") else node.level
    return ".".join((*package[: max(len(package) - drop, 0)], *([name] if name else [])))


def _import_star(
    evaluation: Evaluation, source: str, module: ModuleValue | None, scope: dict[str, Value]
) -> None:
    if module is None:
        evaluation.module.star.add(source)
        return
    evaluation.follow(module)
    evaluation.spend(len(module.names))
    evaluation.module.star |= module.star
    listed = module.names.get("__all__")
    items = listed.items if isinstance(listed, Items) else []
    public = {it.value for it in items if isinstance(it, Constant) and isinstance(it.value, str)}
    for name, value in list(module.names.items()):
        if isinstance(listed, Items):
            exported = name in public
        else:
            exported = not name.startswith("_")
        if exported:
            evaluation.bind_name(name, value, scope, module.lines.get(name, 1))


def _imports_by_name(called: ast.expr) -> bool:
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in ("import_module", "__import__")


STATEMENTS: Mapping[type[ast.stmt], Callable[[Evaluation, Any, dict[str, Value]], None]] = {
    ast.Expr: _run_Expr,
    ast.Assign: _run_Assign,
    ast.AnnAssign: _run_AnnAssign,
    ast.AugAssign: _run_AugAssign,
    ast.Delete: _run_Delete,
    ast.If: _run_If,
    ast.Match: _run_Match,
    ast.While: _run_While,
    ast.For: _run_For,
    ast.With: _run_With,
    ast.Try: _run_Try,
    ast.ClassDef: _run_ClassDef,
    ast.FunctionDef: _run_FunctionDef,
    ast.Import: _run_Import,
    ast.ImportFrom: _run_ImportFrom,
    ast.AsyncFunctionDef: _run_FunctionDef,
    # Python 3.10 has none.
    getattr(ast, "TryStar", ast.Try): _run_Try,
}
