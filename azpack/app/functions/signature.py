"""A function's parameters against its bindings, as the Python worker compares them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from azpack.app.functions.annotations import missing_name, read_annotation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from azpack.app.functions import Binding
    from azpack.app.functions.annotations import Annotation
    from azpack.app.functions.evaluation import Evaluation
    from azpack.app.functions.values import Parameters

__all__ = [
    "FUNCTION_NAME",
    "annotation_problems",
    "is_bad_binding_name",
    "missing_bindings",
    "missing_parameters",
]

# Of the host's Utility.cs. It allows underscores in names of bindings since version 4.1038, but not
# two in a row (https://github.com/Azure/azure-functions-host/pull/10764).
FUNCTION_NAME = re.compile(r"(?!host\Z)[a-z][a-z0-9_-]{0,127}\Z", re.IGNORECASE | re.ASCII)
_BINDING_NAME = re.compile(r"(?!.*__)(?:[a-zA-Z_][a-zA-Z0-9_]{0,127}|\$return)\Z")


# Which classes the converters of azure-functions take, from 1.11 to 2.3: only those are told here
# for which no release took more. What is annotated as str or bytes is always taken for an input.
_TAKEN_IN = {
    "blobTrigger": ("InputStream", "str", "bytes"),
    "cosmosDBTrigger": ("DocumentList", "str", "bytes"),
    "eventGridTrigger": ("EventGridEvent", "CloudEvent", "str", "bytes"),
    "eventHubTrigger": ("EventHubEvent", "str", "bytes"),
    "httpTrigger": ("HttpRequest", "str", "bytes"),
    "queueTrigger": ("QueueMessage", "str", "bytes"),
    "serviceBusTrigger": ("ServiceBusMessage", "str", "bytes"),
    "timerTrigger": ("TimerRequest", "str", "bytes"),
}
_TAKEN_OUT = {
    "cosmosDB": ("Document", "DocumentList", "str", "bytes"),
    "eventHub": ("str", "bytes"),
    "http": ("HttpResponse", "str"),
    "queue": ("str", "bytes", "QueueMessage"),
    "serviceBus": ("str", "bytes"),
}


class Problem(NamedTuple):
    """An annotation that the worker refuses: what is wrong, and the mend.

    `binding` is the one that contradicts it; None where the annotation alone is wrong.
    """

    binding: Binding | None
    message: str
    hint: str


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
    if clients and len(loose) == 1:
        annotation = read_annotation(evaluation, parameters, loose[0])
        return () if annotation.kind == "unknown" else loose
    return loose


def missing_parameters(
    parameters: Parameters, bindings: Sequence[Binding]
) -> tuple[tuple[str, Binding], ...]:
    """The bindings that no parameter takes, with their names."""
    names = frozenset(parameters.names)
    return tuple(
        (it.name, it)
        for it in bindings
        if it.name is not None and it.name != "$return" and it.name not in names
    )


def annotation_problems(
    evaluation: Evaluation, parameters: Parameters, bindings: Sequence[Binding]
) -> Iterator[Problem]:
    """The annotations that the worker refuses."""
    if (missing := missing_name(evaluation, parameters)) is not None:
        yield _missing_problem(*missing)
        return
    if "context" in parameters.names and "context" not in _bound(bindings):
        annotation = read_annotation(evaluation, parameters, "context")
        if annotation.is_known or annotation.kind in ("out", "bare"):
            yield Problem(
                None,
                "the parameter context is what the worker fills, and is annotated as something "
                "else",
                "annotate it as func.Context, or give it another name and a binding",
            )
    names = frozenset(parameters.names)
    for binding in bindings:
        if binding.name == "$return":
            annotation = read_annotation(evaluation, parameters, "return")
            problem = _return_problem(binding, annotation)
        elif binding.name in names:
            annotation = read_annotation(evaluation, parameters, binding.name)
            problem = _direction_problem(binding, annotation) or _type_problem(binding, annotation)
        else:
            problem = None
        if problem is not None:
            yield problem


def _missing_problem(parameter: str, name: str, for_typing: bool) -> Problem:
    what = "what is returned" if parameter == "return" else f"the parameter {parameter}"
    return Problem(
        None,
        f"{what} is annotated with {name}, which "
        + ("type checkers alone import" if for_typing else "does not exist"),
        f"import {name} outside of 'if TYPE_CHECKING': the worker looks at it"
        if for_typing
        else "define or import it in this file, or remove the annotation",
    )


def _direction_problem(binding: Binding, annotation: Annotation) -> Problem | None:
    name, kind = binding.name, annotation.kind
    if kind == "bare":
        return Problem(
            binding,
            f"the parameter {name} is annotated as func.Out without a type",
            f"say of what: {name}: func.Out[str]",
        )
    if binding.direction == "out" and (annotation.is_known or kind == "context"):
        return Problem(
            binding,
            f"the binding {name} is an output, but the parameter is not annotated as func.Out",
            f"annotate it as func.Out[...], such as {name}: func.Out[str]",
        )
    if binding.direction == "in" and kind == "out":
        return Problem(
            binding,
            f"the parameter {name} is annotated as func.Out, but its binding is an input",
            "annotate it with the type of the input, or make the binding an output",
        )
    return None


def _type_problem(binding: Binding, annotation: Annotation) -> Problem | None:
    """What a parameter is annotated as, against what the worker would give to it."""
    inner = annotation.inner if annotation.kind == "out" else annotation
    if inner is None:
        return None
    name = binding.name
    if inner.kind == "no class":
        return Problem(
            None,
            f"the annotation of the parameter {name} is no class: the worker takes no unions, and "
            "no list[...] or dict[...]",
            "annotate it with one class, or typing.List[...], or not at all",
        )
    taken = (_TAKEN_OUT if annotation.kind == "out" else _TAKEN_IN).get(binding.type or "")
    if inner.kind == "class" and taken and not _is_taken(inner.name, taken):
        return Problem(
            None,
            f"the parameter {name} is annotated as {_last(inner.name)}, which is not what a "
            f"binding of type {binding.type} is",
            f"annotate it as {_listed(taken)}, or not at all",
        )
    return None


def _return_problem(binding: Binding, annotation: Annotation) -> Problem | None:
    """What a function is annotated to return, where that is an output."""
    taken = _TAKEN_OUT.get(binding.type or "")
    if annotation.kind in ("no class", "generic", "out", "bare"):
        what = "what is returned is annotated as something that is no class, which the worker "
        what += "refuses for an output"
    elif annotation.kind == "class" and taken and not _is_taken(annotation.name, taken):
        what = f"what is returned is annotated as {_last(annotation.name)}, which is not what an "
        what += f"output of type {binding.type} takes"
    else:
        return None
    choice = _listed(taken) if taken else "one class"
    return Problem(None, what, f"annotate it as {choice}, or not at all")


def _is_taken(name: str, taken: tuple[str, ...]) -> bool:
    return _last(name) in taken


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _listed(taken: tuple[str, ...]) -> str:
    *others, last = [it if it.islower() else f"func.{it}" for it in taken]
    return f"{', '.join(others)} or {last}"
