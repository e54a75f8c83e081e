"""Which modules Python would find in a package: in the app, its dependencies, and the worker.

Source: the import system of the language reference, "The Path Based Finder" and PEP 420.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from azpack.package.segment import SITE_PACKAGES

if TYPE_CHECKING:
    from collections.abc import Iterable

# What the worker has in namespaces that it shares with others' distributions.
_WORKER_SHARES = ("azure.functions", "azurefunctions.extensions.base", "google.protobuf")
SHARED_NAMESPACES = frozenset(name.partition(".")[0] for name in _WORKER_SHARES)
# setuptools puts its own distutils in the place of that which Python 3.12 has no more.
_DISTUTILS, _BRINGS_DISTUTILS = "distutils", "_distutils_hack"
_MODULES = (".py", ".pyc", ".so", ".pyd")


class ProvidedModules:
    """The modules that are found at the root of the app and in its dependencies."""

    def __init__(self, paths: Iterable[str]) -> None:
        # For each folder the modules and the folders in it; "" stands for all that is looked at.
        self._modules: dict[str, set[str]] = {"": set()}
        self._folders: dict[str, set[str]] = {"": set()}
        known: set[str] = set()
        for path in paths:
            dependency = path.startswith(SITE_PACKAGES)
            if not dependency and path.startswith("."):
                continue
            path = path[len(SITE_PACKAGES) :] if dependency else path
            folder, _, name = path.rpartition("/")
            if name.endswith(_MODULES):
                self._modules.setdefault(folder, set()).add(name.partition(".")[0])
            while folder and folder not in known:
                known.add(folder)
                above, _, own = folder.rpartition("/")
                self._folders.setdefault(above, set()).add(own)
                folder = above

    def has(self, name: str) -> bool:
        """Whether the module is there, as far as can be said without running anything.

        Below a package that has an `__init__` all names may be: what it does can't be known.
        """
        for shared in _WORKER_SHARES:
            if f"{name}.".startswith(f"{shared}.") or shared.startswith(f"{name}."):
                return True
        if name.partition(".")[0] == _DISTUTILS and _BRINGS_DISTUTILS in self._folders[""]:
            return True
        folder = ""
        for part in name.split("."):
            if part in self._modules.get(folder, ()):
                return True
            if part not in self._folders.get(folder, ()):
                return False
            folder = f"{folder}/{part}" if folder else part
            if "__init__" in self._modules.get(folder, ()):
                return True
        return True  # a namespace

    def has_anywhere(self, name: str) -> bool:
        """Whether any folder at all has such a module, for who changes where Python looks."""
        top = name.partition(".")[0]
        return any(top in found for found in (*self._modules.values(), *self._folders.values()))
