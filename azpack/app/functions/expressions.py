"""What expressions stand for, and what an assignment binds."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from azpack.app.functions.branches import copied, join, truth_of
from azpack.app.functions.calls import escape, value_of_call
from azpack.app.functions.values import (
    App,
    ClassValue,
    Constant,
    External,
    Items,
    Method,
    ModuleValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from azpack.app.functions.evaluation import Evaluation

__all__ = ["EXPRESSIONS", "MOST_ROUNDS", "bind"]

MOST_ROUNDS = 200  # of a loop that are followed one by one
_CHARACTERS_JOINED = 16


def bind(evaluation: Evaluation, target: ast.expr, value: Value, scope: dict[str, Value]) -> None:
    """Assign a value to names, or to what is in a list or a class."""
    if isinstance(target, ast.Name):
        evaluation.bind_name(target.id, value, scope, target.lineno)
    elif isinstance(target, ast.Tuple | ast.List):
        same = isinstance(value, Items) and len(value.items) == len(target.elts)
        starred = any(isinstance(it, ast.Starred) for it in target.elts)
        for at, element in enumerate(target.elts):
            known = isinstance(value, Items) and same and not starred
            inner = element.value if isinstance(element, ast.Starred) else element
            part = value.items[at] if known and isinstance(value, Items) else Unknown()
            bind(evaluation, inner, part, scope)
    elif isinstance(target, ast.Attribute):
        base = evaluation.value(target.value, scope)
        if isinstance(base, ModuleValue | ClassValue):
            base.names[target.attr] = value
        else:
            escape(evaluation, value, target)
    elif isinstance(target, ast.Subscript):
        base = evaluation.value(target.value, scope)
        if isinstance(base, Items):
            base.items.append(value)
        else:
            escape(evaluation, value, target)


def _value_Constant(_: Evaluation, node: ast.Constant, __: dict[str, Value]) -> Value:
    return Constant(node.value)


def _value_Name(evaluation: Evaluation, node: ast.Name, scope: dict[str, Value]) -> Value:
    return evaluation.lookup(node.id, scope)


def _value_Lambda(evaluation: Evaluation, node: ast.Lambda, scope: dict[str, Value]) -> Value:
    own = {it.arg for it in ast.walk(node.args) if isinstance(it, ast.arg)}
    for inner in evaluation.walk(node.body):
        if isinstance(inner, ast.Name) and inner.id not in own:
            escape(evaluation, evaluation.lookup(inner.id, scope), node)
    return Unknown()


def _value_Compare(_: Evaluation, __: ast.Compare, ___: dict[str, Value]) -> Value:
    return Unknown()


def _value_Attribute(evaluation: Evaluation, node: ast.Attribute, scope: dict[str, Value]) -> Value:
    base = evaluation.value(node.value, scope)
    if isinstance(base, ModuleValue):
        return evaluation.resolved(evaluation.attribute(base, node.attr))
    if isinstance(base, External):
        return External(f"{base.name}.{node.attr}")
    if isinstance(base, App | Items):
        return Method(base, node.attr)
    if isinstance(base, ClassValue):
        return evaluation.resolved(base.names.get(node.attr, Unknown(may_be_app=True)))
    return Unknown(evaluation.is_maybe_app(base))


def _value_Subscript(evaluation: Evaluation, node: ast.Subscript, scope: dict[str, Value]) -> Value:
    base, index = evaluation.value(node.value, scope), evaluation.value(node.slice, scope)
    if isinstance(base, Items):
        at = index.value if isinstance(index, Constant) else None
        if isinstance(at, int) and -len(base.items) <= at < len(base.items):
            return base.items[at]
        escape(evaluation, base, node)
        evaluation.spend(len(base.items))
        return Unknown(any(evaluation.is_maybe_app(item) for item in base.items))
    return Unknown()


def _value_Tuple(evaluation: Evaluation, node: ast.Tuple, scope: dict[str, Value]) -> Value:
    return evaluation.items_of(node.elts, scope)


def _value_List(evaluation: Evaluation, node: ast.List, scope: dict[str, Value]) -> Value:
    return evaluation.items_of(node.elts, scope)


def _value_Set(evaluation: Evaluation, node: ast.Set, scope: dict[str, Value]) -> Value:
    return evaluation.items_of(node.elts, scope)


def _value_Dict(evaluation: Evaluation, node: ast.Dict, scope: dict[str, Value]) -> Value:
    # What an index or a loop gives is the key, not one of these.
    for value in evaluation.items_of(node.values, scope).items:
        escape(evaluation, value, node)
    return Unknown()


def _value_IfExp(evaluation: Evaluation, node: ast.IfExp, scope: dict[str, Value]) -> Value:
    truth = truth_of(evaluation, node.test, scope)
    if truth is not None:
        return evaluation.value(node.body if truth else node.orelse, scope)
    outer, evaluation.certain = evaluation.certain, False
    joined = join(
        evaluation, evaluation.value(node.body, scope), evaluation.value(node.orelse, scope)
    )
    evaluation.certain = outer
    return joined


def _value_NamedExpr(evaluation: Evaluation, node: ast.NamedExpr, scope: dict[str, Value]) -> Value:
    value = evaluation.value(node.value, scope)
    bind(evaluation, node.target, value, scope)
    return value


def _value_JoinedStr(evaluation: Evaluation, node: ast.JoinedStr, scope: dict[str, Value]) -> Value:
    parts = []
    for part in node.values:
        inner = part.value if isinstance(part, ast.FormattedValue) else part
        value = evaluation.value(inner, scope)
        plain = not isinstance(part, ast.FormattedValue) or (
            part.format_spec is None and part.conversion == -1
        )
        if not isinstance(value, Constant) or not isinstance(value.value, str) or not plain:
            return Unknown()
        parts.append(value.value)
    evaluation.spend(sum(map(len, parts)) // _CHARACTERS_JOINED)
    return Constant("".join(parts))


def _value_BinOp(evaluation: Evaluation, node: ast.BinOp, scope: dict[str, Value]) -> Value:
    left, right = evaluation.value(node.left, scope), evaluation.value(node.right, scope)
    if isinstance(node.op, ast.Add):
        if isinstance(left, Items) and isinstance(right, Items):
            evaluation.spend(len(left.items) + len(right.items))
            return Items([*left.items, *right.items])
        if isinstance(left, Constant) and isinstance(right, Constant):
            texts = left.value, right.value
            if isinstance(texts[0], str) and isinstance(texts[1], str):
                evaluation.spend(len(texts[0] + texts[1]) // _CHARACTERS_JOINED)
                return Constant(texts[0] + texts[1])
    return Unknown()


def _value_ListComp(
    evaluation: Evaluation,
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp,
    scope: dict[str, Value],
) -> Value:
    first = node.generators[0]
    over = evaluation.value(first.iter, scope)
    inner = copied(evaluation, scope)
    if len(node.generators) == 1 and not first.ifs and isinstance(over, Items):
        found = []
        for item in over.items[:MOST_ROUNDS]:
            bind(evaluation, first.target, item, inner)
            found.append(evaluation.value(node.elt, inner))
        return Items(found)
    escape(evaluation, over, node)
    for generator in node.generators:
        bind(evaluation, generator.target, Unknown(), inner)
    outer, evaluation.certain = evaluation.certain, False
    escape(evaluation, evaluation.value(node.elt, inner), node)
    evaluation.certain = outer
    return Unknown()


EXPRESSIONS: Mapping[type[ast.expr], Callable[[Evaluation, Any, dict[str, Value]], Value]] = {
    ast.Constant: _value_Constant,
    ast.Name: _value_Name,
    ast.Lambda: _value_Lambda,
    ast.Compare: _value_Compare,
    ast.Attribute: _value_Attribute,
    ast.Subscript: _value_Subscript,
    ast.Tuple: _value_Tuple,
    ast.List: _value_List,
    ast.Set: _value_Set,
    ast.Dict: _value_Dict,
    ast.IfExp: _value_IfExp,
    ast.NamedExpr: _value_NamedExpr,
    ast.JoinedStr: _value_JoinedStr,
    ast.BinOp: _value_BinOp,
    ast.ListComp: _value_ListComp,
    ast.Call: value_of_call,
    ast.SetComp: _value_ListComp,
    ast.GeneratorExp: _value_ListComp,
}
