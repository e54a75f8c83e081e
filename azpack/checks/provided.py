"""Which modules Python would find in a package: in the app, its dependencies, and the worker.

Source: the import system of the language reference, "The Path Based Finder" and PEP 420.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from typing import TYPE_CHECKING

from azpack.package.segment import SITE_PACKAGES

if TYPE_CHECKING:
    from collections.abc import Iterable

# What the worker has in namespaces that it shares with others' distributions.
_WORKER_SHARES = ("azure.functions", "azurefunctions.extensions.base", "google.protobuf")
SHARED_NAMESPACES = frozenset(name.partition(".")[0] for name in _WORKER_SHARES)
# setuptools puts its own distutils in the place of that which Python 3.12 has no more.
_DISTUTILS, _BRINGS_DISTUTILS = "distutils", "_distutils_hack/"
_MODULES = (".py", ".pyc", ".so", ".pyd")


class ProvidedModules:
    """The modules that are found at the root of the app and in its dependencies."""

    def __init__(self, paths: Iterable[str]) -> None:
        # What is looked at, as both folders were one; the modules without their suffixes.
        found: list[str] = []
        for path in paths:
            if path.startswith(SITE_PACKAGES):
                found.append(path[len(SITE_PACKAGES) :])
            elif not path.startswith("."):
                found.append(path)
        self._paths = sorted(found)
        self._modules = {_without_suffix(path) for path in found if path.endswith(_MODULES)}

    def has(self, name: str) -> bool:
        """Whether the module is there, as far as can be said without running anything.

        Below a package that has an `__init__` all names may be: what it does can't be known.
        """
        for shared in _WORKER_SHARES:
            if f"{name}.".startswith(f"{shared}.") or shared.startswith(f"{name}."):
                return True
        if name.partition(".")[0] == _DISTUTILS and self._has_folder(_BRINGS_DISTUTILS):
            return True
        folder = ""
        for part in name.split("."):
            if folder + part in self._modules:
                return True
            folder += f"{part}/"
            if not self._has_folder(folder):
                return False
            if f"{folder}__init__" in self._modules:
                return True
        return True  # a namespace

    def has_anywhere(self, name: str) -> bool:
        """Whether any folder at all has such a module, for who changes where Python looks."""
        return name.partition(".")[0] in self._names

    @cached_property
    def _names(self) -> frozenset[str]:
        """The names of all modules, and of all folders."""
        names = {module.rpartition("/")[2] for module in self._modules}
        names.update(folder for path in self._paths for folder in path.split("/")[:-1])
        return frozenset(names)

    def _has_folder(self, folder: str) -> bool:
        at = bisect_left(self._paths, folder)
        return at < len(self._paths) and self._paths[at].startswith(folder)


def _without_suffix(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return folder + slash + name.partition(".")[0]
