"""Syntax errors in modules that an app imports when it starts, whatever else they hold."""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from azpack.app.functions.reach import ExhaustedError
from azpack.app.limits import LONGEST_NAME
from azpack.app.modules import check_syntax, find_module, parse_module, source_of
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
_SEARCHED = 256  # bytes, in the time of one step


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
    reached = reach.from_modules(*scripts).difference(scripts)
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
    with suppress(ExhaustedError):
        for path, importer, line in _Imports(tree, reach).all_from(scripts):
            if path in problems and path not in found and _top_of(path) not in others:
                found[path] = Broken(path, problems[path], importer, line)
    return tuple(found.values())


def _top_of(path: str) -> str:
    return path.partition("/")[0].partition(".")[0]


class _Imports:
    """The modules of the app that are imported with some others, as far as that is certain."""

    def __init__(self, tree: Tree, reach: Reach) -> None:
        self._tree = tree
        self._reach = reach

    def all_from(self, scripts: Sequence[str]) -> Iterator[tuple[str, str, int]]:
        """Each one: its path, by which one it is imported, and in which line.

        Raises:
            ExhaustedError: it takes too long to say.
        """
        pending, seen = [*scripts], {*scripts}
        while pending:
            importer = pending.pop()
            parsed = parse_module(self._tree, importer).tree
            for statement in parsed.body if parsed is not None else ():
                for name in self._names(statement, importer):
                    self._reach.spend()
                    path = find_module(self._tree, name.removeprefix("__app__."))
                    if path is None:
                        continue
                    yield path, importer, statement.lineno
                    if path not in seen:
                        seen.add(path)
                        pending.append(path)

    def _names(self, statement: ast.stmt, importer: str) -> Iterator[str]:
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
                name = f"{base}.{alias.name}" if base else alias.name
                found = find_module(self._tree, name.removeprefix("__app__."))
                if found is not None and self._is_submodule(importer, base, alias.name):
                    yield name

    def _is_submodule(self, importer: str, base: str, name: str) -> bool:
        """Whether `from base import name` gets a module: not if the package has such a name."""
        path = find_module(self._tree, base) if base else None
        if path is None or path == importer:
            return True
        if not path.endswith("/__init__.py"):
            return False
        source = source_of(self._tree, path)
        self._reach.spend(len(source) // _SEARCHED)
        return re.search(rf"\b{re.escape(name)}\b".encode(), source) is None


def _with_packages(name: str) -> Iterable[str]:
    parts = name.split(".", LONGEST_NAME)[:LONGEST_NAME]
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))
