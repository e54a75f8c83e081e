"""A function's parameters against its bindings, as the Python worker compares them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from azpack.app.functions.annotations import meaning_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from azpack.app.functions import Binding
    from azpack.app.functions.evaluation import Evaluation
    from azpack.app.functions.values import Parameters

__all__ = [
    "FUNCTION_NAME",
    "annotation_problems",
    "is_bad_binding_name",
    "missing_bindings",
    "missing_parameters",
]

# Of the host's Utility.cs. It allows underscores in names of bindings since version 4.1038
# (https://github.com/Azure/azure-functions-host/pull/10764).
FUNCTION_NAME = re.compile(r"(?!host\Z)[a-z][a-z0-9_-]{0,127}\Z", re.IGNORECASE | re.ASCII)
_BINDING_NAME = re.compile(r"(?:[a-zA-Z_][a-zA-Z0-9_]{0,127}|\$return)\Z")


def is_bad_binding_name(name: str) -> bool:
    """Whether the host refuses the name of a binding."""
    return _BINDING_NAME.match(name) is None


def _bound(bindings: Sequence[Binding]) -> set[str]:
    return {it.name for it in bindings if it.name is not None and it.name != "$return"}


def missing_bindings(
    evaluation: Evaluation, parameters: Parameters, bindings: Sequence[Binding], *, clients: bool
) -> tuple[str, ...]:
    """The parameters that no binding fills.

    The worker itself fills `context`, and in the v2 model (`clients`) one parameter of a type that
    an extension such as azurefunctions-extensions-bindings-servicebus brings.
    """
    bound = _bound(bindings)
    loose = tuple(it for it in parameters.names if it not in bound and it != "context")
    if clients and len(loose) == 1 and meaning_of(evaluation, parameters, loose[0]) == "unknown":
        return ()
    return loose


def missing_parameters(
    parameters: Parameters, bindings: Sequence[Binding]
) -> tuple[tuple[str, Binding], ...]:
    """The bindings that no parameter takes, with their names."""
    return tuple(
        (it.name, it)
        for it in bindings
        if it.name is not None and it.name != "$return" and it.name not in parameters.names
    )


def annotation_problems(
    evaluation: Evaluation, parameters: Parameters, bindings: Sequence[Binding]
) -> Iterator[tuple[Binding | None, str, str]]:
    """The annotations that the worker refuses: the binding, what is wrong, and the mend."""
    context = "context" in parameters.names and "context" not in _bound(bindings)
    if context and meaning_of(evaluation, parameters, "context") in ("known", "out", "bare"):
        yield (
            None,
            "the parameter context is what the worker fills, and is annotated as something else",
            "annotate it as func.Context, or give it another name and a binding",
        )
    for binding in bindings:
        name = binding.name
        if name is None or name not in parameters.names:
            continue
        meaning = meaning_of(evaluation, parameters, name)
        if meaning == "bare":
            yield (
                binding,
                f"the parameter {name} is annotated as func.Out without a type",
                f"say of what: {name}: func.Out[str]",
            )
        elif binding.direction == "out" and meaning in ("known", "context"):
            yield (
                binding,
                f"the binding {name} is an output, but the parameter is not annotated as func.Out",
                f"annotate it as func.Out[...], such as {name}: func.Out[str]",
            )
        elif binding.direction == "in" and meaning == "out":
            yield (
                binding,
                f"the parameter {name} is annotated as func.Out, but its binding is an input",
                "annotate it with the type of the input, or make the binding an output",
            )
