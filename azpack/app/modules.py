"""The Python modules of an app: parsed, never run."""

from __future__ import annotations

import ast
import bisect
import gc
import re
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

from azpack.app.limits import (
    LONGEST_NAME,
    MOST_CODE,
    MOST_TOKENS,
    MOST_TOKENS_KEPT,
    MOST_TOKENS_OF_MODULE,
)
from azpack.app.tree import READ_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from azpack.app.tree import Tree

__all__ = [
    "Import",
    "Module",
    "Problem",
    "check_syntax",
    "find_module",
    "imports_of",
    "is_namespace",
    "note_unread",
    "parse_module",
    "problem_on",
    "python_files",
    "source_of",
    "unread_modules",
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
# Roughly what a syntax tree has nodes for; a text or a comment is one, an f-string is code.
_TOKEN = re.compile(
    rb"(?:(?<!\w)([fFtT][rR]?|[rR][fFtT]))?"
    rb"(?:\"\"\"(?s:.*?)\"\"\"|'''(?s:.*?)'''"
    rb"|\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\"|'[^'\\\n]*(?:\\.[^'\\\n]*)*')"
    rb"|\w+|#[^\n]*|[^\w\s,):\]}=;.]"
)
_PLAIN = bytes(char for char in range(256) if chr(char).isalnum() or chr(char) in "_ \t\r\"'#")
_FEW_SIGNS = 10_000
_TOO_MUCH_CODE = "it has too much code to be parsed"
_TOO_MUCH_OF_ALL = "all modules together have too much code to be parsed"
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
    """A file of Python: its path, and its syntax tree or why there is none.

    `tokens` is about how many it has, by which memory and time are measured.
    """

    path: str
    source: bytes = field(repr=False)
    tree: ast.Module | None = field(repr=False)
    problem: Problem | None = None
    tokens: int = 0


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
    """What was read and parsed of a tree, and what was not."""

    def __init__(self, tree: Tree) -> None:
        self.paths = frozenset(tree.paths())
        self.in_order = sorted(self.paths)
        self.sources: dict[str, bytes] = {}
        self.modules: dict[str, Module] = {}  # those asked for last at the end
        self.kept = 0  # tokens
        self.unread: dict[str, str] = {}
        self.code_left = MOST_CODE
        self.tokens_left = MOST_TOKENS
        self.checked_left = MOST_TOKENS  # of files of which no tree is kept

    def keep(self, module: Module) -> None:
        """Keep a module's tree, and let those go that nobody has asked for of late."""
        self.kept += module.tokens
        while self.kept > MOST_TOKENS_KEPT and self.modules:
            oldest = next(iter(self.modules))
            self.kept -= self.modules.pop(oldest).tokens
        self.modules[module.path] = module

    def take(self, path: str) -> Module | None:
        """A module that is kept, which is to be kept anew."""
        module = self.modules.pop(path, None)
        self.kept -= module.tokens if module is not None else 0
        return module


_caches: WeakKeyDictionary[Tree, _Cache] = WeakKeyDictionary()


def _cache_of(tree: Tree) -> _Cache:
    cache = _caches.get(tree)
    if cache is None:
        cache = _caches[tree] = _Cache(tree)
    return cache


def python_files(tree: Tree) -> tuple[str, ...]:
    """The app's own modules: all `.py` files but those of the dependencies in the package."""
    return tuple(p for p in tree.paths() if p.endswith(".py") and not p.startswith(_PACKAGES))


def find_module(tree: Tree, name: str) -> str | None:
    """The file of the app's own module or package of this dotted name; None if there is none."""
    if name.count(".") > LONGEST_NAME:
        return None
    cache = _cache_of(tree)
    base = name.replace(".", "/")
    # The order of importlib: a package stands before a module of the same name.
    for path in (f"{base}/__init__.py", f"{base}.py"):
        if path in cache.paths:
            return path
    return None


def is_namespace(tree: Tree, name: str) -> bool:
    """Whether the name is a folder of the app, which Python imports as a namespace package."""
    folder = name.replace(".", "/") + "/"
    paths = _cache_of(tree).in_order
    at = bisect.bisect_left(paths, folder)
    return at < len(paths) and paths[at].startswith(folder)


def source_of(tree: Tree, path: str) -> bytes:
    """The text of a module, read once; empty where it is too large to be read.

    Raises:
        FileError: the file can't be read.
        KeyError: there is no such file.
    """
    cache = _cache_of(tree)
    source = cache.sources.get(path)
    if source is None:
        size = tree.size(path)
        if size > READ_LIMIT:
            cache.unread[path] = "it is too large to be read"
        elif size > cache.code_left:
            cache.unread[path] = "all modules together are too large to be read"
        source = cache.sources[path] = b"" if path in cache.unread else tree.read(path)
        cache.code_left -= len(source)
    return source


def unread_modules(tree: Tree) -> Mapping[str, str]:
    """The modules that were not, or not in full, looked into, and why."""
    return _cache_of(tree).unread


def note_unread(tree: Tree, path: str, why: str) -> None:
    """Note that a module was not looked into in full."""
    _cache_of(tree).unread.setdefault(path, why)


def parse_module(tree: Tree, path: str) -> Module:
    """The file's syntax tree, as a rule made once; a file that can't be parsed has a problem.

    Raises:
        FileError: the file can't be read.
        KeyError: there is no such file.
    """
    cache = _cache_of(tree)
    module = cache.take(path)
    if module is None:
        source = source_of(tree, path)
        tokens = _count_tokens(source) if cache.tokens_left > 0 else 1
        if path not in cache.unread and tokens > MOST_TOKENS_OF_MODULE:
            cache.unread[path] = _TOO_MUCH_CODE
        elif path not in cache.unread and tokens > cache.tokens_left:
            cache.unread[path] = _TOO_MUCH_OF_ALL
            cache.tokens_left = 0  # and those that come are not even counted
        if (why := cache.unread.get(path)) is not None:
            problem = Problem(message=why, line=None, kind="unknown")
            module = Module(path=path, source=b"", tree=None, problem=problem)
        else:
            cache.tokens_left -= tokens
            module = _parse(path, source, tokens)
    cache.keep(module)
    return module


def _count_tokens(source: bytes) -> int:
    """How much of a tree a source may become; of a large one counted, else guessed."""
    signs = len(source.translate(None, delete=_PLAIN))
    if signs < _FEW_SIGNS:
        return signs
    return sum(1 + len(found[0]) // 3 if found[1] else 1 for found in _TOKEN.finditer(source))


def _parse(path: str, source: bytes, tokens: int) -> Module:
    try:
        with _undisturbed():
            parsed = ast.parse(source, path)
    except SyntaxError as error:
        return Module(path=path, source=source, tree=None, problem=_problem(source, error))
    except ValueError as error:  # a NUL, in some versions of Python
        problem = Problem(message=str(error), line=_line_of_nul(source), kind="syntax")
        return Module(path=path, source=source, tree=None, problem=problem)
    except (RecursionError, MemoryError):
        problem = Problem(message="it is nested too deeply", line=None, kind="unknown")
        return Module(path=path, source=source, tree=None, problem=problem)
    return Module(path=path, source=source, tree=parsed, tokens=tokens)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let Python parse without warnings, and without looking for garbage.

    A syntax tree is many objects, none of them garbage: looking for some takes half of the time.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if collecting:
            gc.enable()


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
            if compiled and (
                b"finally" not in module.source or _compiled_size(module.tree) <= MOST_TOKENS
            ):
                compile(module.tree, module.path, "exec", dont_inherit=True)
    except SyntaxError as error:
        return Problem(message=error.msg or "invalid syntax", line=error.lineno, kind="syntax")
    except (RecursionError, MemoryError, ValueError):
        return Problem(message="it is nested too deeply", line=None, kind="unknown")
    return None


def check_syntax(tree: Tree, path: str, version: tuple[int, int]) -> Problem | None:
    """What the target's Python has against a file, of which no syntax tree is kept.

    None also for a file that is too large to be parsed, alone or after the others.

    Raises:
        FileError: the file can't be read.
        KeyError: there is no such file.
    """
    source = source_of(tree, path)
    cache = _cache_of(tree)
    tokens = _count_tokens(source) if cache.checked_left > 0 else 1
    if tokens > MOST_TOKENS_OF_MODULE:
        note_unread(tree, path, _TOO_MUCH_CODE)
        return None
    if tokens > cache.checked_left:
        note_unread(tree, path, _TOO_MUCH_OF_ALL)
        cache.checked_left = 0
        return None
    cache.checked_left -= tokens
    try:
        with _undisturbed():
            if version < sys.version_info[:2]:
                ast.parse(source, path, feature_version=version)
            elif b"finally" in source:
                parsed = ast.parse(source, path)
                if _compiled_size(parsed) <= MOST_TOKENS:
                    compile(parsed, path, "exec", dont_inherit=True)
            else:  # takes two thirds of the time
                compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return problem_on(parse_module(tree, path), version, compiled=True)
    return None


def _compiled_size(tree: ast.Module) -> int:
    """The statements that the compiler makes of those in a tree, at most.

    What stands behind a `finally` it repeats for each way there.
    """
    sizes: dict[ast.AST, tuple[int, int]] = {}  # of what is within: statements, and jumps
    for node in reversed(_statements(tree)):
        jumps = int(isinstance(node, ast.Return | ast.Break | ast.Continue))
        size = 1
        for name, value in ast.iter_fields(node):
            inner = [sizes[it] for it in value if it in sizes] if isinstance(value, list) else []
            last = 2 + jumps if name == "finalbody" else 1  # a field that comes behind the others
            size += last * sum(each for each, _ in inner)
            jumps += sum(each for _, each in inner)
        sizes[node] = size, jumps
    return sizes[tree][0]


def _statements(tree: ast.Module) -> list[ast.AST]:
    """All statements, and what they consist of, those around others before them."""
    found: list[ast.AST] = [tree]
    for node in found:
        for value in (each for _, each in ast.iter_fields(node) if isinstance(each, list)):
            found += [
                it for it in value if isinstance(it, ast.stmt | ast.ExceptHandler | ast.match_case)
            ]
    return found


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
