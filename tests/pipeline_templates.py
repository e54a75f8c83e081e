"""Templates of Azure Pipelines made into steps, as the service does it before an agent sees them.

Of the language there is what azpack's templates use: parameters, if, elseif and else, and a few
functions. Source: learn.microsoft.com/azure/devops/pipelines/process/expressions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_CONDITION = re.compile(r"\$\{\{ (?:(if|elseif) (.*)|(else)) \}\}")
_INSERTED = re.compile(r"\$\{\{ (.*?) \}\}")
_TOKEN = re.compile(r"\s*(?:'((?:[^']|'')*)'|parameters\.(\w+)|(\w+)\(|([(),]))")
_FUNCTIONS: dict[str, Callable[..., bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "in": lambda value, *among: value in among,
    "and": lambda *values: all(values),
    "or": lambda *values: any(values),
    "not": lambda value: not value,
}


def expand(path: Path, **given: str) -> list[dict[str, Any]]:
    """The steps of a template with these parameters.

    Raises:
        AssertionError: a parameter is unknown, missing, or has none of its values.
    """
    template = yaml.safe_load(path.read_text(encoding="utf-8"))
    parameters: dict[str, str] = {}
    for declared in template["parameters"]:
        name = declared["name"]
        assert name in given or "default" in declared, f"{name} is missing"
        parameters[name] = given.get(name, declared.get("default"))
        assert parameters[name] in declared.get("values", [parameters[name]])
    assert given.keys() <= parameters.keys()
    steps = _expanded(template["steps"], parameters)
    assert isinstance(steps, list)
    return steps


def _expanded(node: object, parameters: Mapping[str, str]) -> Any:
    if isinstance(node, str):
        return _INSERTED.sub(lambda found: str(_evaluate(found[1], parameters)), node)
    if isinstance(node, list):
        return [*_list(node, parameters)]
    if isinstance(node, dict):
        return _mapping(node, parameters)
    return node


def _list(items: list[object], parameters: Mapping[str, str]) -> Iterator[Any]:
    taken = False
    for item in items:
        key = next(iter(item)) if isinstance(item, dict) else ""
        if not (found := _CONDITION.fullmatch(key)):
            yield _expanded(item, parameters)
            continue
        if found[1] == "if":
            taken = False
        if not taken and (found[3] or _evaluate(found[2], parameters)):
            taken = True
            assert isinstance(item, dict)
            yield from _expanded(item[key], parameters)


def _mapping(node: Mapping[str, object], parameters: Mapping[str, str]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    taken = False
    for key, value in node.items():
        if not (found := _CONDITION.fullmatch(key)):
            result[key] = _expanded(value, parameters)
            continue
        if found[1] == "if":
            taken = False
        if not taken and (found[3] or _evaluate(found[2], parameters)):
            taken = True
            result |= _expanded(value, parameters)
    return result


def _evaluate(text: str, parameters: Mapping[str, str]) -> Any:
    value, end = _term(text, 0, parameters)
    assert not text[end:].strip(), text
    return value


def _term(text: str, start: int, parameters: Mapping[str, str]) -> tuple[Any, int]:
    found = _TOKEN.match(text, start)
    assert found, text[start:]
    literal, parameter, function, _ = found.groups()
    if literal is not None:
        return literal.replace("''", "'"), found.end()
    if parameter is not None:
        return parameters[parameter], found.end()
    arguments, end = [], found.end()
    while True:
        value, end = _term(text, end, parameters)
        arguments.append(value)
        mark = _TOKEN.match(text, end)
        assert mark, text[end:]
        end = mark.end()
        if mark[4] == ")":
            return _FUNCTIONS[function](*arguments), end
