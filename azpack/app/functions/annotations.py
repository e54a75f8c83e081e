"""What an annotation says about a parameter, as far as its text and the imports tell."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Literal

from azpack.app.functions.values import External

if TYPE_CHECKING:
    from azpack.app.functions.evaluation import Evaluation
    from azpack.app.functions.values import Parameters

__all__ = ["Meaning", "meaning_of"]

# "bare": Out without the brackets that it needs. "known": a class of azure-functions or of Python,
# which is neither Out nor Context.
Meaning = Literal["none", "out", "bare", "context", "known", "unknown"]

_KNOWN_PREFIXES = ("azure.functions.", "builtins.", "typing.", "collections.abc.")


def meaning_of(evaluation: Evaluation, parameters: Parameters, name: str) -> Meaning:
    """Whether a parameter is annotated as an output, as the context, or as something else."""
    node = parameters.annotations.get(name)
    if node is None or parameters.scope is None:
        return "none"
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            node = ast.parse(node.value, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return "unknown"
    base = node
    subscripts = 0
    while isinstance(base, ast.Subscript):
        base, subscripts = base.value, subscripts + 1
    if not isinstance(base, ast.Name | ast.Attribute) or subscripts > 1:
        return "unknown"
    value = evaluation.in_module(base, parameters.scope)
    if not isinstance(value, External):
        return "unknown"
    if value.name in ("azure.functions.Out", "azure.functions._abc.Out"):
        return "out" if subscripts else "bare"
    if value.name in ("azure.functions.Context", "azure.functions._abc.Context"):
        return "context"
    # An alias of these may be anything, and so may what is in brackets.
    plain = value.name.startswith(_KNOWN_PREFIXES) and value.name not in (
        "typing.Annotated",
        "typing.Optional",
        "typing.Union",
        "typing.Any",
    )
    return "known" if plain else "unknown"
