"""What a module names of test suites and of its own files: what is named is not left out.

A name that is only in a comment or a docstring counts for nothing. A module that can't be parsed
here, since its syntax is newer or older, names whatever stands in its text.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SUITE_NAMES = frozenset({"test", "tests"})
_WORD = re.compile(rb"tests?\b")
# The line up to the word, where it stands for what is imported; also a line within brackets.
_IMPORTING = re.compile(rb"\s*(?:.*\bimport\b.*\W|(?:.*\W)?from\s+)?")
_LAST = re.compile(rb"\.tests?\b")
_BEFORE = re.compile(rb"(?:\w+\.)*\w+\Z")
_RELATIVE = re.compile(rb"^[ \t]*from[ \t]+(\.+)([\w.]*)[ \t]+import[ \t]+(\w+)", re.MULTILINE)
_INCLUDE = re.compile(rb"[\"'/]includes?[\"'/]")
_INCLUDE_FOLDERS = frozenset({"include", "includes"})
_LONGEST_PATH = 200
# A module that names a folder and does none of this does not look into it: it may be told apart
# from others by its path, as warnings.warn(stacklevel=…) needs it in pandas and xarray.
_READING = frozenset(
    (
        "open", "read_text", "read_bytes", "listdir", "scandir", "iterdir", "glob", "iglob",
        "rglob", "walk", "files", "path", "get_data", "resource_filename", "resource_string",
        "resource_stream", "resource_listdir", "load", "loadtxt", "genfromtxt", "read_csv",
        "import_module", "iter_modules", "walk_packages", "discover",
    )
)  # fmt: skip


class Mentions(NamedTuple):
    """What a module names: modules of test suites, with their packages, and paths to them.

    A path of several parts stands anywhere in the distribution, one of a single part beside the
    module or above it.
    """

    modules: frozenset[str]
    paths: frozenset[str]


_NOTHING = Mentions(frozenset(), frozenset())


def mentions(path: str, source: bytes) -> Mentions:
    """What the module at `path` names of test suites, its own or others'."""
    if not any(_may_name(source, match.start()) for match in _WORD.finditer(source)):
        return _NOTHING
    visitor = _Visitor(path)
    try:
        if (tree := _parse(source)) is not None:
            visitor.visit(tree)
            return visitor.found()
    except RecursionError:  # nested too deeply to be walked through
        pass
    return Mentions(textual(path, source), SUITE_NAMES)


def _may_name(source: bytes, start: int) -> bool:
    """Whether the word at `start` can be more than a word of a text.

    It is part of a name or a path, or is imported: what has none of that need not be parsed.
    """
    if source[start - 1 : start] in (b".", b"'", b'"', b"/", b"\\"):
        return True
    line = source[source.rfind(b"\n", 0, start) + 1 : start]
    return _IMPORTING.fullmatch(line) is not None


def _parse(source: bytes) -> ast.Module | None:
    """The syntax tree; None for what is no Python here."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def textual(path: str, source: bytes) -> frozenset[str]:
    """The same by the text alone, docstrings and comments not told apart: modules only."""
    found = set()
    for match in _LAST.finditer(source):
        # Looked for from its end: trying each word of a text as a beginning takes seconds.
        before = _BEFORE.search(source, max(0, match.start() - _LONGEST_PATH), match.start())
        if before is not None:
            found.add(f"{before[0].decode(errors='replace')}{match[0].decode()}")
    for dots, name, imported in _RELATIVE.findall(source):
        package = _package(path, len(dots))
        found.add(".".join(filter(None, (package, name.decode(), imported.decode()))))
    return frozenset(filter(is_suite_module, found))


def is_suite_module(name: str) -> bool:
    """Whether a dotted name has the name of a test suite among its parts."""
    return not SUITE_NAMES.isdisjoint(name.split("."))


def _package(path: str, level: int) -> str:
    """What a relative import with so many dots starts at."""
    parts = path.split("/")[:-1]
    return ".".join(parts[: len(parts) - level + 1])


def names_includes(source: bytes) -> bool:
    """Whether a module names a folder of headers, but to tell a compiler of it.

    No app compiles: the platform has no compiler.
    """
    if b"include" not in source or not _INCLUDE.search(source):
        return False
    try:
        tree = _parse(source)
        return tree is None or any(_includes_in(tree))
    except RecursionError:
        return True


def _includes_in(node: ast.AST) -> Iterator[bool]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef) and child.name.startswith("get_include"):
            continue
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield not _INCLUDE_FOLDERS.isdisjoint(re.split(r"[/\\]", child.value))
        yield from _includes_in(child)


class _Visitor(ast.NodeVisitor):
    def __init__(self, path: str) -> None:
        self._path = path
        self._modules: set[str] = set()
        self._paths: set[str] = set()
        self._bare: set[str] = set()
        self._reads = False

    def found(self) -> Mentions:
        paths = self._paths | (self._bare if self._reads else set())
        return Mentions(frozenset(filter(is_suite_module, self._modules)), frozenset(paths))

    def visit_Import(self, node: ast.Import) -> None:
        self._modules.update(alias.name for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            base = ".".join(filter(None, (_package(self._path, node.level), base)))
        self._modules.add(base)
        self._modules.update(f"{base}.{alias.name}" for alias in node.names)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func
        called = name.id if isinstance(name, ast.Name) else getattr(name, "attr", "")
        self._reads = self._reads or called in _READING
        self._joined(node.args)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Div):
            self._joined(list(_operands(node)))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        text = node.value
        if not isinstance(text, str) or len(text) > _LONGEST_PATH or re.search(r"\s", text):
            return
        if "/" in text or "\\" in text:
            self._add_path(re.split(r"[/\\]", text))
        elif "." in text:
            self._modules.add(text if not text.startswith(".") else self._absolute(text))

    def _absolute(self, name: str) -> str:
        level = len(name) - len(name.lstrip("."))
        return ".".join(filter(None, (_package(self._path, level), name[level:])))

    def _joined(self, parts: Sequence[ast.expr]) -> None:
        """Constants in a row, as arguments of a call or between slashes, are one path."""
        row = [
            part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else ""
            for part in parts
        ]
        for index, part in enumerate(row):
            if part in SUITE_NAMES:
                start = index
                while start and row[start - 1]:
                    start -= 1
                self._add_path(row[start : index + 1], bare=index + 1 == len(row))

    def _add_path(self, parts: Sequence[str], *, bare: bool = False) -> None:
        for index, part in enumerate(parts):
            if part in SUITE_NAMES:
                named = [part for part in parts[: index + 1] if part not in ("", ".", "..", "*")]
                (self._bare if bare else self._paths).add("/".join(named))


def _operands(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        yield from _operands(node.left)
        yield node.right
    else:
        yield node
