"""What an app's modules import that is not their own: of the modules that Azure would load."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from azpack.app.functions.reach import Reach
from azpack.app.modules import find_module, imports_of, is_namespace, parse_module, unread_modules
from azpack.checks.provided import SHARED_NAMESPACES
from azpack.target.stdlib import stdlib_modules
from azpack.target.worker import worker_modules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.app.modules import Import, Module
    from azpack.checks.provided import ProvidedModules
    from azpack.checks.rules import Subject

_V2_SCRIPT = "function_app.py"
_MENTIONED = re.compile(rb"^[ \t]*(?:from[ \t]+(\w[\w.]*)|import[ \t]+([^#\n]+))", re.MULTILINE)
# What azure-functions, grpcio and python-dateutil need, and what newer workers run on: there as a
# rule, so that nobody is warned of them.
_COMES_ALONG = frozenset({"markupsafe", "six", "typing_extensions", "uvloop", "werkzeug"})
_LATE = ("function", "conditional")
# Of whoever does this, no one can say where modules are looked for.
_PATH_CHANGES = re.compile(
    rb"\bsys\.(?:path|meta_path|modules)\b|\bsite\.addsitedir\b|\b__path__\b"
)


class Imported(NamedTuple):
    """An import of a module that is not the app's own: the names that it needs, and where.

    `is_late` says that it need not run: when a function of the module is called, or if something
    is so.
    """

    name: str
    path: str
    line: int
    is_late: bool


class Imports:
    """The imports of the modules that the scripts of an app's functions come to load."""

    def __init__(self, subject: Subject) -> None:
        self._tree = subject.tree
        self._stdlib = stdlib_modules(subject.target.python)
        self._worker = worker_modules() | _COMES_ALONG
        scripts = {function.script for function in subject.app.functions}
        there = frozenset(subject.tree.paths())
        if _V2_SCRIPT in there:
            scripts.add(_V2_SCRIPT)
        reach = Reach(subject.tree)
        self.modules = sorted(reach.from_modules(*(scripts & there)))
        self._missing: dict[str, bool] = {}
        self._texts = {path: reach.text(path) for path in self.modules}
        self.changes_path = any(map(_PATH_CHANGES.search, self._texts.values()))

    def third_party(self, provided: ProvidedModules) -> Iterator[Imported]:
        """What must be installed and is not: conditional and optional imports do not count."""
        for path, text in self._texts.items():
            # To parse a module takes long, and few lack something. Of a namespace it may be there
            # that what is imported from it is not.
            names = set() if path in unread_modules(self._tree) else set(_mentioned(text))
            if any(self._is_missing(f"{name}.?", provided) for name in names):
                for found in self._of(parse_module(self._tree, path)):
                    if self._is_missing(found.name, provided):
                        yield found

    def is_standard(self, name: str) -> bool:
        """Whether a dotted name is of the standard library, or of the worker alone."""
        top = name.partition(".")[0]
        return top not in SHARED_NAMESPACES and (top in self._stdlib or top in self._worker)

    def _of(self, module: Module) -> Iterator[Imported]:
        for found in imports_of(module):
            if found.level or found.kind in ("optional", "typing"):
                continue
            for name in _names(found):
                if self._is_foreign(name):
                    yield Imported(name, module.path, found.line, found.kind in _LATE)

    def _is_missing(self, name: str, provided: ProvidedModules) -> bool:
        missing = self._missing.get(name)
        if missing is None:
            missing = self._is_foreign(name) and not (
                provided.has(name) or (self.changes_path and provided.has_anywhere(name))
            )
            self._missing[name] = missing
        return missing

    def _is_foreign(self, name: str) -> bool:
        top = name.partition(".")[0]
        return not (
            top == "__app__"
            or self.is_standard(name)
            or find_module(self._tree, top) is not None
            or (top not in SHARED_NAMESPACES and is_namespace(self._tree, top))
        )


def _names(found: Import) -> Iterator[str]:
    """The modules that an import may need: of `from a import b` both a and a.b."""
    yield found.module
    for name in found.names:
        if name != "*":
            yield f"{found.module}.{name}"


def _mentioned(text: bytes) -> Iterator[str]:
    """The names behind `import` and `from`, as the text looks; some may be in a string."""
    for match in _MENTIONED.finditer(text):
        source, listed = match.groups()
        names = [source] if source else listed.split(b",")
        for name in names:
            yield name.strip().partition(b" ")[0].decode(errors="replace")
