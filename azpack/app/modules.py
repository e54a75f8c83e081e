"""The Python modules of an app: parsed, never run."""

from __future__ import annotations

import ast
import gc
import re
import sys
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

from azpack.app.tree import READ_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.app.tree import Tree

__all__ = [
    "Import",
    "Module",
    "Problem",
    "check_syntax",
    "find_module",
    "imports_of",
    "is_namespace",
    "parse_module",
    "problem_on",
    "python_files",
]

_PACKAGES = ".python_packages/"

# Syntax by the version that brought it, as far as it can be told in a line that an older parser
# refuses.
_NEWER_SYNTAX = (
    ((3, 11), re.compile(r"except\s*\*|\[.*\*|\*.*\]|:\s*\*")),
    ((3, 12), re.compile(r"\b(?i:f|fr|rf)['\"]|^\s*type\s+\w|\b(?:def|class)\s+\w+\s*\[")),
    ((3, 14), re.compile(r"\b(?i:t|tr|rt)['\"]|\bexcept\b[^:]*,")),
)
_TESTED = {"sys.version_info", "sys.platform", "os.name", "platform.system"}
ImportKind = Literal["plain", "optional", "typing", "function", "conditional"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why there is no syntax tree.

    "syntax": Python refuses the file. "unknown": this interpreter can't say, such as for syntax
    that is newer than it; nothing may be concluded from such a file. `since` is the version that
    brought what may be such syntax.
    """

    message: str
    line: int | None
    kind: Literal["syntax", "unknown"]
    since: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Module:
    """A file of Python: its path, and its syntax tree or why there is none."""

    path: str
    source: bytes = field(repr=False)
    tree: ast.Module | None = field(repr=False)
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An import statement: `import MODULE`, or `from MODULE import NAMES`.

    `level` counts the dots of a relative one, `names` is empty for `import MODULE`. `kind` is
    "optional" where its failing is caught or only another system or version comes to it, "typing"
    where only a type checker sees it, "function" where it runs when a function is called,
    "conditional" where it does so by what an `if` says, else "plain".
    """

    line: int
    module: str
    names: tuple[str, ...]
    level: int
    kind: ImportKind


class _Cache:
    """What was parsed of a tree."""

    def __init__(self) -> None:
        self.modules: dict[str, Module] = {}
        self.paths: frozenset[str] = frozenset()
        self.folders: frozenset[str] = frozenset()


_caches: WeakKeyDictionary[Tree, _Cache] = WeakKeyDictionary()


def _cache_of(tree: Tree) -> _Cache:
    cache = _caches.get(tree)
    if cache is None:
        cache = _caches[tree] = _Cache()
        cache.paths = frozenset(tree.paths())
        folders: set[str] = set()
        for path in cache.paths:
            while (at := path.rfind("/")) != -1 and (path := path[:at]) not in folders:
                folders.add(path)
        cache.folders = frozenset(folders)
    return cache


def python_files(tree: Tree) -> tuple[str, ...]:
    """The app's own modules: all `.py` files but those of the dependencies in the package."""
    return tuple(p for p in tree.paths() if p.endswith(".py") and not p.startswith(_PACKAGES))


def find_module(tree: Tree, name: str) -> str | None:
    """The file of the app's own module or package of this dotted name; None if there is none."""
    cache = _cache_of(tree)
    base = name.replace(".", "/")
    # The order of importlib: a package stands before a module of the same name.
    for path in (f"{base}/__init__.py", f"{base}.py"):
        if path in cache.paths:
            return path
    return None


def is_namespace(tree: Tree, name: str) -> bool:
    """Whether the name is a folder of the app, which Python imports as a namespace package."""
    return name.replace(".", "/") in _cache_of(tree).folders


def parse_module(tree: Tree, path: str) -> Module:
    """The file's syntax tree, made once for each tree; a file that can't be parsed has a problem.

    Raises:
        FileError: the file can't be read.
        KeyError: there is no such file.
    """
    modules = _cache_of(tree).modules
    module = modules.get(path)
    if module is None:
        source = tree.read(path)
        if len(source) >= READ_LIMIT and tree.size(path) > len(source):
            problem = Problem(message="it is too large to be read", line=None, kind="unknown")
            module = Module(path=path, source=b"", tree=None, problem=problem)
        else:
            module = _parse(path, source)
        modules[path] = module
    return module


def _parse(path: str, source: bytes) -> Module:
    # A syntax tree is many objects, none of them garbage: looking for some takes half of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = ast.parse(source, path)
    except SyntaxError as error:
        return Module(path=path, source=source, tree=None, problem=_problem(source, error))
    except ValueError as error:  # a NUL, in some versions of Python
        problem = Problem(message=str(error), line=_line_of_nul(source), kind="syntax")
        return Module(path=path, source=source, tree=None, problem=problem)
    except (RecursionError, MemoryError):
        problem = Problem(message="it is nested too deeply", line=None, kind="unknown")
        return Module(path=path, source=source, tree=None, problem=problem)
    finally:
        if collecting:
            gc.enable()
    return Module(path=path, source=source, tree=parsed)


def _problem(source: bytes, error: SyntaxError) -> Problem:
    lines = source.decode("utf-8", "replace").splitlines()
    first = error.lineno or 1
    last = max(error.end_lineno or first, first)
    text = "\n".join(lines[max(first - 1, 0) : last])
    running = sys.version_info[:2]
    newer = [
        version
        for version, shape in _NEWER_SYNTAX
        if version > running and (shape.search(text) or "f-string" in (error.msg or ""))
    ]
    message = error.msg or "invalid syntax"
    line = error.lineno if error.lineno and error.lineno > 0 else _line_of_nul(source)
    kind: Literal["syntax", "unknown"] = "unknown" if newer else "syntax"
    return Problem(message=message, line=line, kind=kind, since=min(newer, default=None))


def _line_of_nul(source: bytes) -> int | None:
    at = source.find(b"\0")
    return source.count(b"\n", 0, at) + 1 if at != -1 else None


def problem_on(
    module: Module, version: tuple[int, int], *, compiled: bool = False
) -> Problem | None:
    """What the target's Python has against a file, as far as this interpreter can tell.

    With `compiled`, also what only the compiler sees, such as a return outside of a function.
    Syntax that is newer than the target is found for an older target than this interpreter; that
    which this interpreter refuses may be fine on a newer one.
    """
    running = sys.version_info[:2]
    problem = module.problem
    if module.tree is None:
        if problem is not None and problem.kind == "unknown":
            may_read = version > running and version >= (problem.since or running)
            known = problem.message != "it is nested too deeply" and module.source
            if known and not may_read:
                return Problem(message=problem.message, line=problem.line, kind="syntax")
        return problem
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if version < running:
                ast.parse(module.source, module.path, feature_version=version)
            if compiled:
                compile(module.tree, module.path, "exec", dont_inherit=True)
    except SyntaxError as error:
        return Problem(message=error.msg or "invalid syntax", line=error.lineno, kind="syntax")
    except (RecursionError, MemoryError, ValueError):
        return Problem(message="it is nested too deeply", line=None, kind="unknown")
    return None


def check_syntax(tree: Tree, path: str, version: tuple[int, int]) -> Problem | None:
    """What the target's Python has against a file, of which no syntax tree is kept.

    Raises:
        FileError: the file can't be read.
        KeyError: there is no such file.
    """
    source = tree.read(path)
    if len(source) >= READ_LIMIT:
        return None
    collecting = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if version < sys.version_info[:2]:
                ast.parse(source, path, feature_version=version)
            else:  # takes two thirds of the time
                compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return problem_on(parse_module(tree, path), version, compiled=True)
    finally:
        if collecting:
            gc.enable()
    return None


def imports_of(module: Module) -> tuple[Import, ...]:
    """The import statements of a module, in the order of its lines."""
    if module.tree is None:
        return ()
    return tuple(sorted(_imports(module.tree), key=lambda found: found.line))


def _imports(root: ast.Module) -> Iterator[Import]:
    # By a list, not by recursion: source can be nested deeper than Python's stack.
    pending: list[tuple[ast.AST, ImportKind]] = [(root, "plain")]
    while pending:
        node, kind = pending.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(line=node.lineno, module=alias.name, names=(), level=0, kind=kind)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            yield Import(
                line=node.lineno,
                module=node.module or "",
                names=names,
                level=node.level,
                kind=kind,
            )
        elif isinstance(node, ast.stmt | ast.Module | ast.ExceptHandler | ast.match_case):
            pending.extend(_children(node, kind))


def _children(node: ast.AST, kind: ImportKind) -> Iterator[tuple[ast.AST, ImportKind]]:
    inner = kind
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and kind == "plain":
        inner = "function"
    for name, value in ast.iter_fields(node):
        if not isinstance(value, list):
            continue
        here = inner
        if name == "body" and _is_guarded(node):
            here = "typing" if isinstance(node, ast.If) else "optional"
        elif name == "handlers" and _is_guarded(node):
            # What is imported instead is there for the sake of the other case.
            here = "optional"
        elif isinstance(node, ast.If) and not _is_guarded(node):
            if _is_of_circumstances(node.test):
                here = "optional"
            elif inner == "plain":
                here = "conditional"
        for child in value:
            if isinstance(child, ast.AST):
                yield child, inner if inner in ("optional", "typing") else here


def _is_guarded(node: ast.AST) -> bool:
    """Whether the body's imports may fail, or are not run."""
    if isinstance(node, ast.Try) or type(node).__name__ == "TryStar":
        handlers: list[ast.ExceptHandler] = node.handlers  # type: ignore[attr-defined]
        return any(_catches_import_error(handler.type) for handler in handlers)
    if isinstance(node, ast.With):
        return any(
            isinstance(item.context_expr, ast.Call)
            and _last_name(item.context_expr.func) == "suppress"
            and any(_catches_import_error(argument) for argument in item.context_expr.args)
            for item in node.items
        )
    return isinstance(node, ast.If) and _last_name(node.test) == "TYPE_CHECKING"


def _is_of_circumstances(test: ast.expr) -> bool:
    """Whether a test is of the Python or the system, or of being run as a program."""
    return any(
        (isinstance(node, ast.Attribute) and f"{_last_name(node.value)}.{node.attr}" in _TESTED)
        or (isinstance(node, ast.Name) and node.id == "__name__")
        for node in ast.walk(test)
    )


def _catches_import_error(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    names = ("ImportError", "ModuleNotFoundError", "Exception", "BaseException")
    return any(_last_name(kind) in names for kind in kinds)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
