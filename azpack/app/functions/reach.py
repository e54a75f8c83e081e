"""Which of an app's modules must be looked into: a cheap search, before anything is parsed."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from azpack.app.functions.values import load_decorators
from azpack.app.limits import LONGEST_NAME, MOST_IMPORTS, MOST_STEPS
from azpack.app.modules import find_module, note_unread, source_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from azpack.app.tree import Tree

__all__ = ["ExhaustedError", "Reach"]

_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]*"
    rb"(\([^()#]*(?:#[^\n]*\n[^()#]*)*\)|[^#\n]*)|import[ \t]+([^#\n]*))",
    re.MULTILINE,
)
_NAME = re.compile(rb"[\w.]+")
_DYNAMIC = re.compile(
    rb"\bimport_module\b|\b__import__\b|\bpkgutil\b|\brunpy\b|\bexec\s*\(|\bsys\.path\b"
)


_LONGEST_STATEMENT = 256 << 10  # some thousand names
# Stands among the names of a module that imports more than is looked at; no module is called so.
_MORE = "\n"


@cache
def _marks() -> re.Pattern[bytes]:
    """What a module that has to do with the app's functions has in its text."""
    names = "|".join(sorted(load_decorators()["decorators"]))
    return re.compile(
        rb"FunctionApp|DFApp|Blueprint|FunctionRegister|\.register_functions"
        rb"|\.(?:mcp_tool|mcp_tool_property|" + names.encode() + rb")\b"
    )


class ExhaustedError(Exception):
    """There is more code than is followed."""


class Reach:
    """The modules of an app that a module can come to import, by what their text looks like.

    A module that is not marked, and reaches none that is, need not be parsed.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._names: dict[str, frozenset[str]] = {}
        self._imports_left = MOST_IMPORTS
        self._steps_left = MOST_STEPS
        self._relevant: dict[str, bool] = {}
        self._marked: dict[str, bool] = {}
        self._dynamic: dict[str, bool] = {}
        self._lines: dict[str, list[bytes]] = {}
        self._with_marks: dict[tuple[str, int, int], bool] = {}

    def spend(self, steps: int = 1) -> None:
        """Count what is done to follow the app's code.

        Raises:
            ExhaustedError: it is more than is done for any app.
        """
        self._steps_left -= steps
        if self._steps_left < 0:
            raise ExhaustedError

    def text(self, path: str) -> bytes:
        """The content of a file, read once; empty where it is too large."""
        return source_of(self._tree, path)

    def from_modules(self, *paths: str) -> frozenset[str]:
        """The modules themselves, and all that they may import, and so on."""
        return frozenset(self._mentions_from(paths))

    def is_relevant(self, path: str) -> bool:
        """Whether the module, or one that it may import, has to do with functions."""
        if path not in self._relevant:
            importers: dict[str, list[str]] = {}
            reached = self._mentions_from([path], known=self._relevant)
            for each, mentioned in reached.items():
                for other in mentioned:
                    importers.setdefault(other, []).append(each)
            pending = [each for each in reached if self._relevant.get(each, self.is_marked(each))]
            self._relevant.update(dict.fromkeys(reached, False))
            while pending:
                each = pending.pop()
                self._relevant[each] = True
                pending += [it for it in importers.pop(each, ()) if not self._relevant[it]]
        return self._relevant[path]

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
            names = self._names_in(path)
            dynamic = _MORE in names or _DYNAMIC.search(self.text(path)) is not None
            self._dynamic[path] = dynamic
        return dynamic

    def has_marks(self, path: str, first: int, last: int) -> bool:
        """Whether there is anything about functions or dynamic imports between these lines."""
        found = self._with_marks.get((path, first, last))
        if found is None:
            lines = self._lines.get(path)
            if lines is None:
                lines = self._lines[path] = self.text(path).split(b"\n")
            text = b"\n".join(lines[first - 1 : last])
            found = _marks().search(text) is not None or _DYNAMIC.search(text) is not None
            self._with_marks[path, first, last] = found
        return found

    def absent(self, path: str) -> Iterator[str]:
        """Where modules would be that the module may import and that are not in the tree."""
        for name in sorted(self._names_in(path)):
            base = name.removeprefix("__app__.").replace(".", "/")
            if base and name != _MORE and self._find(name) is None:
                yield f"{base}/__init__.py"
                yield f"{base}.py"

    def _names_in(self, path: str) -> frozenset[str]:
        """The dotted names that the module may import, and `_MORE` where there are others."""
        found = self._names.get(path)
        if found is None:
            here = path.removesuffix(".py").removesuffix("/__init__").split("/")
            package = here if path.endswith("/__init__.py") else here[:-1]
            names: set[str] = set()
            for match in _IMPORT.finditer(self.text(path)):
                if len(match[0]) <= _LONGEST_STATEMENT:
                    own = _imported(match, package)
                    names |= own
                    self._imports_left -= len(own)
                if len(match[0]) > _LONGEST_STATEMENT or self._imports_left < 0:
                    note_unread(self._tree, path, "all modules together import too much")
                    names.add(_MORE)
                    break
            found = self._names[path] = frozenset(names)
        return found

    def _mentions_from(
        self, paths: Iterable[str], *, known: Container[str] = ()
    ) -> dict[str, tuple[str, ...]]:
        """The modules that are reached, and those that each mentions that is not known."""
        found: dict[str, tuple[str, ...]] = {}
        pending = [*paths]
        while pending:
            if (each := pending.pop()) not in found:
                names = self._names_in(each) if each not in known else ()
                mentioned = {self._find(name) for name in names}
                found[each] = tuple(it for it in mentioned if it is not None)
                pending += [it for it in found[each] if it not in found]
        return found

    def _find(self, name: str) -> str | None:
        if not name or name == _MORE:
            return None
        return find_module(self._tree, name.removeprefix("__app__."))


def _imported(match: re.Match[bytes], package: list[str]) -> set[str]:
    """The dotted names of modules that an import statement may load."""
    source, listed, plain = match.groups()
    if source is None:
        pieces = (piece.split() for piece in plain.split(b","))
        bases = [_shortened(_text(piece[0])) for piece in pieces if piece]
        names = list(bases)
    else:
        base = _shortened(_text(source))
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


def _shortened(name: str) -> str:
    """A dotted name with no more parts than those of a module can be."""
    return ".".join(name.split(".", LONGEST_NAME)[:LONGEST_NAME])


def _text(word: bytes) -> str:
    return word.decode("utf-8", "replace")
