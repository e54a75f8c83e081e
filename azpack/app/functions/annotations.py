"""What an annotation says about a parameter, as far as its text and the imports tell.

The worker looks at annotations by `typing.get_type_hints`, and takes classes and the generic types
of `typing` alone: azure_functions_runtime/functions.py.
"""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal

from azpack.app.functions.reach import ExhaustedError
from azpack.app.functions.values import External, load_decorators

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.app.functions.evaluation import Evaluation
    from azpack.app.functions.values import ModuleValue, Parameters

__all__ = ["Annotation", "missing_name", "read_annotation"]

# "out": Out of something; "bare": Out without the brackets that it needs. "class": one of Python or
# azure-functions, which `name` tells. "generic": such as typing.List[str]. "no class": a union, or
# list[str], of which the worker knows nothing.
Kind = Literal["none", "out", "bare", "context", "class", "generic", "no class", "unknown"]

_OUT = ("azure.functions.Out", "azure.functions._abc.Out")
_CONTEXT = ("azure.functions.Context", "azure.functions._abc.Context")
_TYPING = ("typing.", "typing_extensions.")
_UNIONS = ("Optional", "Union")
# typing_inspect.is_generic_type of the worker leaves these out.
_NO_GENERICS = ("Callable", "ClassVar", "Never", "NoReturn", "Tuple")
_GENERICS = frozenset(
    {
        *("AsyncIterable", "AsyncIterator", "Awaitable", "Collection", "Coroutine"),
        *("DefaultDict", "Deque", "Dict"),
        *("FrozenSet", "Generator", "Iterable", "Iterator", "List", "Mapping", "MutableMapping"),
        *("MutableSequence", "MutableSet", "OrderedDict", "Sequence", "Set"),
    }
)
_SUBSCRIPTED = frozenset({"dict", "frozenset", "list", "set", "tuple"})
# Before this version `isinstance(list[str], type)` is true.
_NO_CLASS_FROM = (3, 11)
_MOST_PARTS = 100  # of an annotation: names, brackets and the like
_DYNAMIC = re.compile(rb"\b(?:exec|globals|locals|vars|setattr|__dict__|builtins)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What stands there; `name` is a class's full name, `inner` what an Out is of."""

    kind: Kind
    name: str = ""
    inner: Annotation | None = None

    @property
    def is_known(self) -> bool:
        """Whether it is certain to be neither Out nor Context."""
        return self.kind in ("class", "generic", "no class")


_NONE = Annotation(kind="none")
_NO_CLASS = Annotation(kind="no class")
_UNKNOWN = Annotation(kind="unknown")


def read_annotation(evaluation: Evaluation, parameters: Parameters, name: str) -> Annotation:
    """That of a parameter, or of what is returned, by the name "return"."""
    node = parameters.annotations.get(name)
    if node is None or parameters.scope is None:
        return _NONE
    return _read(evaluation, _unquoted(evaluation, node), parameters.scope)


def _unquoted(evaluation: Evaluation, node: ast.expr | None) -> ast.expr | None:
    """An annotation, one in quotes without them; None if it can't be read, or is too large."""
    try:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            evaluation.spend(len(node.value))
            node = ast.parse(node.value.strip(), mode="eval").body
        if node is None or len([*islice(evaluation.walk(node), _MOST_PARTS)]) == _MOST_PARTS:
            return None
    except ExhaustedError:
        evaluation.exhausted = True
        return None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return node


def _read(evaluation: Evaluation, node: ast.expr | None, scope: ModuleValue) -> Annotation:
    if _is_none(node):
        return Annotation(kind="class", name="builtins.None")
    if isinstance(node, ast.Tuple | ast.List | ast.Dict) or (
        isinstance(node, ast.Constant) and not isinstance(node.value, str)
    ):
        return _NO_CLASS
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union(evaluation, [node.left, node.right], scope)
    if isinstance(node, ast.Subscript):
        return _subscripted(evaluation, node, scope)
    if not isinstance(node, ast.Name | ast.Attribute):
        return _UNKNOWN
    name = _name_of(evaluation, node, scope)
    if name in _OUT:
        return Annotation(kind="bare")
    if name in _CONTEXT:
        return Annotation(kind="context")
    short = _of_typing(name)
    if short in _NO_GENERICS:
        return _NO_CLASS
    if short in _GENERICS or name.startswith("collections.abc."):
        return Annotation(kind="generic")
    # Of what a later release may bring, nothing is known.
    exported = name.removeprefix("azure.functions.") in load_decorators()["exports"]
    if exported or name.startswith("builtins."):
        return Annotation(kind="class", name=name)
    return _UNKNOWN


def _subscripted(evaluation: Evaluation, node: ast.Subscript, scope: ModuleValue) -> Annotation:
    name = _name_of(evaluation, node.value, scope)
    if name in _OUT:
        return Annotation(
            kind="out", inner=_read(evaluation, _unquoted(evaluation, node.slice), scope)
        )
    short = _of_typing(name)
    if short == "Optional" and not _is_none(node.slice):
        return _NO_CLASS
    if short == "Union" and isinstance(node.slice, ast.Tuple):
        return _union(evaluation, node.slice.elts, scope)
    if short in _NO_GENERICS:
        return _NO_CLASS
    if short in _GENERICS:
        return Annotation(kind="generic")
    package, _, last = name.rpartition(".")
    if package == "collections.abc" or (package == "builtins" and last in _SUBSCRIPTED):
        return _NO_CLASS if evaluation.version >= _NO_CLASS_FROM else _UNKNOWN
    return _UNKNOWN


def _union(evaluation: Evaluation, parts: list[ast.expr], scope: ModuleValue) -> Annotation:
    """No class, if it is certain to be of two different ones: `X | X` is X."""
    left, right = parts[0], parts[-1]
    if ast.dump(left) == ast.dump(right):
        return _UNKNOWN
    read = [_read(evaluation, _unquoted(evaluation, part), scope) for part in (left, right)]
    certain = _is_none(left) or _is_none(right) or _UNKNOWN not in read
    return _NO_CLASS if certain and read[0] != read[1] else _UNKNOWN


def _is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _name_of(evaluation: Evaluation, node: ast.expr, scope: ModuleValue) -> str:
    """The full name of what comes from outside of the app; "" for all else."""
    if not isinstance(node, ast.Name | ast.Attribute):
        return ""
    value = evaluation.in_module(node, scope)
    if isinstance(value, External):
        return value.name
    return ""


def _of_typing(name: str) -> str:
    package, _, last = name.rpartition(".")
    return last if f"{package}." in _TYPING else ""


def missing_name(evaluation: Evaluation, parameters: Parameters) -> tuple[str, str, bool] | None:
    """An annotation with a name that does not exist when the app runs, and so can't be looked at.

    The parameter, the name, and whether type checkers alone import it; None if there is none.
    """
    scope = parameters.scope
    if scope is None or scope.path is None or scope.star:
        return None
    for parameter, node in parameters.annotations.items():
        for name in _names(_unquoted(evaluation, node)):
            if name in scope.names or hasattr(builtins, name) or name.startswith("__"):
                continue
            bound = _bound_in(evaluation, scope)
            if bound is None:
                return None
            when_run, for_typing = bound
            if name not in when_run:
                return parameter, name, name in for_typing
    return None


def _bound_in(
    evaluation: Evaluation, module: ModuleValue
) -> tuple[frozenset[str], frozenset[str]] | None:
    """What is bound when a module runs, and for type checkers; None if that can't be known."""
    path = module.path or ""
    if path not in evaluation.bound:
        tree = evaluation.syntax_of(module)
        known = tree is not None and not _DYNAMIC.search(evaluation.text_of(module))
        evaluation.bound[path] = (
            (bound_names(tree), bound_names(tree, for_typing=True)) if tree and known else None
        )
    return evaluation.bound[path]


def bound_names(tree: ast.Module, *, for_typing: bool = False) -> frozenset[str]:
    """The names that are bound anywhere in a module, in functions too.

    What stands below `if TYPE_CHECKING` counts `for_typing` alone.
    """
    found: set[str] = set()
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        found.update(_bound(node))
        if isinstance(node, ast.If) and _is_for_typing(node.test) and not for_typing:
            pending.extend(node.orelse)
        else:
            pending.extend(ast.iter_child_nodes(node))
    return frozenset(found)


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.partition(".")[0]
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Global | ast.Nonlocal):
        yield from node.names
    elif isinstance(node, ast.MatchMapping):
        yield node.rest or ""
    else:  # functions, classes, caught errors, patterns, parameters of types
        name = getattr(node, "name", None)
        if isinstance(name, str):
            yield name


def _is_for_typing(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _names(node: ast.expr | None) -> Iterator[str]:
    if node is not None:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
                yield inner.id
