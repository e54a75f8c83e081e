"""Branches that may run or not: what is known of names after them, and of conditions."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from azpack.app.functions.values import (
    App,
    Constant,
    Decorator,
    External,
    Items,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azpack.app.functions.evaluation import Evaluation

__all__ = ["copied", "either", "join", "truth_of"]

_NAMES_COPIED = 4  # in the time of one step


def copied(evaluation: Evaluation, scope: dict[str, Value]) -> dict[str, Value]:
    """The names of a branch, which are those of around it at first."""
    evaluation.spend(len(scope) // _NAMES_COPIED)
    return dict(scope)


def either(
    evaluation: Evaluation, bodies: Sequence[list[ast.stmt]], scope: dict[str, Value]
) -> None:
    """Run each body as one that may not run, and join what they leave behind."""
    outer, evaluation.certain = evaluation.certain, False
    results = []
    for body in bodies:
        branch = copied(evaluation, scope)
        evaluation.run(body, branch)
        results.append(branch)
    evaluation.certain = outer
    for name in {name: None for branch in results for name in branch}:
        values = [branch[name] for branch in results if name in branch]
        joined = values[0]
        for value in values[1:]:
            joined = join(evaluation, joined, value)
        scope[name] = joined


def join(evaluation: Evaluation, one: Value, other: Value) -> Value:
    """What a name stands for after two ways to it."""
    if one is other or (isinstance(one, Constant | External) and one == other):
        return one
    if isinstance(one, App) and isinstance(other, App) and one.kind == other.kind:
        # One of the two it is: with the functions of both, not all of which may be there.
        other.registered = True
        if one.auth_level != other.auth_level:
            one.auth_level = None
        return one
    for value in (one, other):
        if isinstance(value, Decorator):
            what = "whether this decorator is applied can't be known"
            path = evaluation.module.path or ""
            value.app.doubts.append(evaluation.doubt(path, value.line, what))
    if isinstance(one, App) and isinstance(other, Constant):
        return one
    if isinstance(other, App) and isinstance(one, Constant):
        return other
    return Unknown(evaluation.is_maybe_app(one) or evaluation.is_maybe_app(other))


def truth_of(evaluation: Evaluation, test: ast.expr, scope: dict[str, Value]) -> bool | None:
    """Whether a condition holds when Azure imports the module, if that is known."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = truth_of(evaluation, test.operand, scope)
        return None if inner is None else not inner
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        left, right = test.left, test.comparators[0]
        if isinstance(left, ast.Name) and left.id == "__name__":
            main = isinstance(right, ast.Constant) and right.value == "__main__"
            return isinstance(test.ops[0], ast.NotEq) if main else None
        if evaluation.value(left, scope) == External("sys.version_info"):
            return _is_version(evaluation, test.ops[0], evaluation.value(right, scope))
        return None
    value = evaluation.value(test, scope)
    if isinstance(value, External) and value.name.endswith(".TYPE_CHECKING"):
        return False
    return bool(value.value) if isinstance(value, Constant) else None


def _is_version(evaluation: Evaluation, operator: ast.cmpop, value: Value) -> bool | None:
    """How the target's version compares with another one."""
    items = value.items if isinstance(value, Items) else []
    numbers = tuple(it.value for it in items if isinstance(it, Constant))
    if len(numbers) not in (1, 2) or not all(type(it) is int for it in numbers):
        return None
    own = (*evaluation.version, 0)  # longer, and so greater, than an equal one
    if isinstance(operator, ast.Gt | ast.GtE):
        return own > numbers
    return own < numbers if isinstance(operator, ast.Lt | ast.LtE) else None
