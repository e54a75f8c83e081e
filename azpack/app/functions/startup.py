"""Syntax errors in modules that an app imports when it starts, whatever else they hold."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, NamedTuple

from azpack.app.modules import check_syntax, find_module, parse_module
from azpack.findings import Finding
from azpack.target.stdlib import stdlib_modules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from azpack.app.functions.reach import Reach
    from azpack.app.modules import Problem
    from azpack.app.tree import Tree
    from azpack.target.target import Target

__all__ = ["Broken", "broken_imports", "syntax_error"]

_DEPENDENCIES = ".python_packages/lib/site-packages/"
# Of all modules together: compiling takes a tenth of a second for 1 MB, and ten times as long for
# what is made to take long.
_MOST_SOURCE = 4 << 20


class Broken(NamedTuple):
    """A module that Python refuses, and where it is imported."""

    path: str
    problem: Problem
    importer: str
    line: int

    def finding(self, python: str, effect: str) -> Finding:
        """AZP301, with what comes of it."""
        return syntax_error(
            self.path, self.problem, python, f" (imported by {self.importer}:{self.line}), {effect}"
        )


def syntax_error(path: str, problem: Problem, python: str, more: str) -> Finding:
    """AZP301: Python, such as "3.13", refuses the file; `more` ends the sentence."""
    return Finding(
        code="AZP301",
        severity="error",
        message=f"Python {python} can't read it: {problem.message}{more}",
        path=path,
        line=problem.line,
        hint=f"mend the syntax; 'python -m py_compile {path}' shows the place",
    )


def broken_imports(
    tree: Tree, reach: Reach, target: Target, scripts: Sequence[str]
) -> tuple[Broken, ...]:
    """The modules with syntax errors that are certain to be imported with these scripts.

    Certain are imports at the top level of a module, by their own, that find the app's own module.
    Newer syntax that only a newer interpreter than this one could read is no error.
    """
    reached = frozenset[str]().union(*map(reach.from_module, scripts)).difference(scripts)
    left = _MOST_SOURCE
    problems = {}
    for path in sorted(reached):
        left -= tree.size(path)
        if left < 0:
            break
        problem = check_syntax(tree, path, target.version)
        if problem is not None and problem.kind == "syntax":
            problems[path] = problem
    if not problems:
        return ()
    # Where another module has the name too, it depends on the plan which one is found.
    others = stdlib_modules(target.python) | {
        _top_of(path.removeprefix(_DEPENDENCIES))
        for path in tree.paths()
        if path.startswith(_DEPENDENCIES)
    }
    found: dict[str, Broken] = {}
    for path, importer, line in _imported(tree, scripts):
        if path in problems and path not in found and _top_of(path) not in others:
            found[path] = Broken(path, problems[path], importer, line)
    return tuple(found.values())


def _top_of(path: str) -> str:
    return path.partition("/")[0].partition(".")[0]


def _imported(tree: Tree, scripts: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """The modules of the app that are imported: path, by which one, in which line."""
    pending, seen = [*scripts], {*scripts}
    while pending:
        importer = pending.pop()
        parsed = parse_module(tree, importer).tree
        for statement in parsed.body if parsed is not None else ():
            for name in _names(tree, statement, importer):
                path = find_module(tree, name.removeprefix("__app__."))
                if path is None:
                    continue
                yield path, importer, statement.lineno
                if path not in seen:
                    seen.add(path)
                    pending.append(path)


def _names(tree: Tree, statement: ast.stmt, importer: str) -> Iterator[str]:
    """The dotted names of all modules that a statement loads: packages, and what is below."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            yield from _with_packages(alias.name)
    elif isinstance(statement, ast.ImportFrom):
        package = importer.split("/")[: -statement.level] if statement.level else []
        base = ".".join([*package, *([statement.module] if statement.module else [])])
        if base:
            yield from _with_packages(base)
        for alias in statement.names:
            if _is_submodule(tree, importer, base, alias.name):
                yield f"{base}.{alias.name}" if base else alias.name


def _with_packages(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _is_submodule(tree: Tree, importer: str, base: str, name: str) -> bool:
    """Whether `from base import name` gets a module: not if the package has another such name."""
    path = find_module(tree, base) if base else None
    if path is None or path == importer:
        return True
    own = re.search(rf"\b{re.escape(name)}\b".encode(), tree.read(path))
    return path.endswith("/__init__.py") and own is None
