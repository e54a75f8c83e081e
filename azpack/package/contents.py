"""What a package holds, read once for all that is said of it: files, distributions, native code."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from azpack.app.folders import enclosing
from azpack.app.tree import READ_LIMIT
from azpack.checks.rules import Subject
from azpack.package.installed import read_installed
from azpack.package.native_files import NativeFiles, read_native
from azpack.package.segment import SITE_PACKAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from azpack.archive import Member
    from azpack.deps.needs import Code
    from azpack.package.installed import Installed
    from azpack.package.zip_tree import ZipTree

# Of what is no app: where dependencies, and what systems add, have their own host.json.
_NO_APP = frozenset(
    {"__MACOSX", ".python_packages", ".venv", "venv", "node_modules", "site-packages", ".git"}
)
_DEEPEST_APP = 4


class AppTree:
    """The part of a zip below a folder, as a `Tree` of its own."""

    def __init__(self, whole: ZipTree, prefix: str) -> None:
        """Take what stands below `prefix`, "" or with a slash at the end."""
        self._whole = whole
        self._prefix = prefix
        self.entries: Mapping[str, Member] = (
            {
                path[len(prefix) :]: member
                for path, member in whole.entries.items()
                if path.startswith(prefix)
            }
            if prefix
            else whole.entries
        )

    def paths(self) -> tuple[str, ...]:
        """All files, sorted by their UTF-8 bytes."""
        return tuple(self.entries)

    def size(self, path: str) -> int:
        """The uncompressed size in bytes."""
        return self.entries[path].size

    def mode(self, path: str) -> int:
        """The permission bits, 0 where they are not known."""
        return self._whole.mode(self._prefix + path)

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes:
        """The content, at most the first `limit` bytes."""
        return self._whole.read(self._prefix + path, limit)


class PackageContents:
    """What a package holds.

    `prefix` is the folder in which host.json stands, where that is not the root: the host does not
    look there, but it is what the package was meant to be, and `tree` starts there. Other paths
    are relative to it too.
    """

    def __init__(self, package: ZipTree) -> None:
        """Look at the names; the files are read when they are asked for."""
        self.zip = package
        self.prefix = _find_prefix(package.entries)
        self.tree = AppTree(package, self.prefix)

    @cached_property
    def installed(self) -> tuple[Installed, ...]:
        """The distributions, wherever they are."""
        return read_installed(self.tree)

    @cached_property
    def packed(self) -> tuple[Installed, ...]:
        """The distributions in the folder that the worker looks into."""
        return tuple(entry for entry in self.installed if entry.root == SITE_PACKAGES)

    @cached_property
    def owners(self) -> Mapping[str, Installed]:
        """For the files of distributions, whose they are."""
        owners: dict[str, Installed] = {}
        folders: dict[str, Installed | None] = {}
        for entry in self.installed:
            for path in entry.record or ():
                owners.setdefault(path, entry)
                top = path[len(entry.root) :].partition("/")[0]
                if folders.setdefault(entry.root + top, entry) is not entry:
                    folders[entry.root + top] = None
            folders[entry.info] = entry
        found = {}
        for path, root in enclosing(self.tree.entries, (entry.root for entry in self.installed)):
            owner = owners.get(path)
            # No RECORD lists what Python compiles, and what installers add.
            if owner is None and root is not None:
                owner = folders.get(root + path[len(root) :].partition("/")[0])
            if owner is not None:
                found[path] = owner
        return found

    @cached_property
    def files_of(self) -> Mapping[str, Sequence[str]]:
        """The files of each distribution, by its .dist-info folder."""
        files: dict[str, list[str]] = {entry.info: [] for entry in self.installed}
        for path, owner in self.owners.items():
            files[owner.info].append(path)
        return files

    @cached_property
    def native(self) -> NativeFiles:
        """The native code."""
        found = read_native(self.zip, (self.prefix + path for path in self.tree.entries))
        if not self.prefix:
            return found
        start = len(self.prefix)
        return NativeFiles(
            tuple(_renamed(code, start) for code in found.codes),
            tuple(file._replace(path=file.path[start:]) for file in found.foreign),
        )


def _renamed(code: Code, start: int) -> Code:
    return replace(code, name=code.name[start:])


def _find_prefix(paths: Mapping[str, object]) -> str:
    """The folder of the only host.json, where there is none at the root."""
    if "host.json" in paths:
        return ""
    found = [
        path[: -len("host.json")]
        for path in paths
        if path.endswith("/host.json")
        and path.count("/") <= _DEEPEST_APP
        and _NO_APP.isdisjoint(path.split("/"))
    ]
    return found[0] if len(found) == 1 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSubject(Subject):
    """A package that is checked; `is_remote` says that it is to be built on the platform."""

    contents: PackageContents = field(repr=False)
    is_remote: bool = False
