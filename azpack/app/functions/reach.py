"""Which of an app's modules must be looked into: a cheap search, before anything is parsed."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from azpack.app.functions.values import load_decorators
from azpack.app.modules import find_module

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.app.tree import Tree

__all__ = ["Reach"]

_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]*(\([^)]*\)|[^#\n]*)|import[ \t]+([^#\n]*))",
    re.MULTILINE,
)
_NAME = re.compile(rb"[\w.]+")
_DYNAMIC = re.compile(
    rb"\bimport_module\b|\b__import__\b|\bpkgutil\b|\brunpy\b|\bexec\s*\(|\bsys\.path\b"
)


@cache
def _marks() -> re.Pattern[bytes]:
    """What a module that has to do with the app's functions has in its text."""
    names = "|".join(sorted(load_decorators()["decorators"]))
    return re.compile(
        rb"FunctionApp|DFApp|Blueprint|FunctionRegister|\.register_functions"
        rb"|\.(?:mcp_tool|mcp_tool_property|" + names.encode() + rb")\b"
    )


class Reach:
    """The modules of an app that a module can come to import, by what their text looks like.

    A module that is not marked, and reaches none that is, need not be parsed.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._texts: dict[str, bytes] = {}
        self._mentioned: dict[str, frozenset[str]] = {}
        self._relevant: dict[str, bool] = {}
        self._marked: dict[str, bool] = {}
        self._dynamic: dict[str, bool] = {}
        self._lines: dict[str, list[bytes]] = {}

    def text(self, path: str) -> bytes:
        """The content of a file, read once."""
        text = self._texts.get(path)
        if text is None:
            text = self._texts[path] = self._tree.read(path)
        return text

    def from_module(self, path: str) -> frozenset[str]:
        """The module itself, and all that it may import, and so on."""
        found: set[str] = set()
        pending = [path]
        while pending:
            if (path := pending.pop()) not in found:
                found.add(path)
                pending.extend(self._mentions(path))
        return frozenset(found)

    def is_relevant(self, path: str) -> bool:
        """Whether the module, or one that it may import, has to do with functions."""
        relevant = self._relevant.get(path)
        if relevant is None:
            relevant = any(self.is_marked(each) for each in self.from_module(path))
            self._relevant[path] = relevant
        return relevant

    def is_marked(self, path: str) -> bool:
        """Whether the module's own text has to do with functions."""
        marked = self._marked.get(path)
        if marked is None:
            marked = self._marked[path] = _marks().search(self.text(path)) is not None
        return marked

    def is_dynamic(self, path: str) -> bool:
        """Whether the module imports what its text does not tell, or from other folders."""
        dynamic = self._dynamic.get(path)
        if dynamic is None:
            dynamic = self._dynamic[path] = _DYNAMIC.search(self.text(path)) is not None
        return dynamic

    def has_marks(self, path: str, first: int, last: int) -> bool:
        """Whether there is anything about functions or dynamic imports between these lines."""
        lines = self._lines.get(path)
        if lines is None:
            lines = self._lines[path] = self.text(path).split(b"\n")
        text = b"\n".join(lines[first - 1 : last])
        return _marks().search(text) is not None or _DYNAMIC.search(text) is not None

    def absent(self, path: str) -> Iterator[str]:
        """Where modules would be that the module may import and that are not in the tree."""
        for name in sorted(self._names(path)):
            base = name.removeprefix("__app__.").replace(".", "/")
            if base and self._find(name) is None:
                yield f"{base}/__init__.py"
                yield f"{base}.py"

    def _names(self, path: str) -> set[str]:
        here = path.removesuffix(".py").removesuffix("/__init__").split("/")
        package = here if path.endswith("/__init__.py") else here[:-1]
        names: set[str] = set()
        for match in _IMPORT.finditer(self.text(path)):
            names.update(_imported(match, package))
        return names

    def _mentions(self, path: str) -> frozenset[str]:
        found = self._mentioned.get(path)
        if found is None:
            paths = {self._find(name) for name in self._names(path)}
            found = self._mentioned[path] = frozenset(it for it in paths if it is not None)
        return found

    def _find(self, name: str) -> str | None:
        return find_module(self._tree, name.removeprefix("__app__.")) if name else None


def _imported(match: re.Match[bytes], package: list[str]) -> set[str]:
    """The dotted names of modules that an import statement may load."""
    source, listed, plain = match.groups()
    if source is None:
        pieces = (piece.split() for piece in plain.split(b","))
        bases = [_text(piece[0]) for piece in pieces if piece]
        names = list(bases)
    else:
        base = _text(source)
        dots = len(base) - len(base.lstrip("."))
        if dots:
            above = package[: len(package) - dots + 1] if dots > 1 else package
            base = ".".join((*above, *filter(None, [base[dots:]])))
        bases = [base]
        words = [_text(word) for word in _NAME.findall(listed)]
        names = [f"{base}.{word}".lstrip(".") for word in words]
    found = set(names)
    for base in bases:
        parts = base.split(".")
        found.update(".".join(parts[:count]) for count in range(1, len(parts) + 1))
    return found


def _text(word: bytes) -> str:
    return word.decode("utf-8", "replace")
