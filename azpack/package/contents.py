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

    def __init__(self, whole: ZipTree, prefix: str, *, without: str = "") -> None:
        """Take what stands below `prefix`, "" or with a slash at the end.

        What begins with `without` there, if that is given, is not taken.
        """
        self._whole = whole
        self._prefix = prefix
        self.entries: Mapping[str, Member] = (
            {
                path[len(prefix) :]: member
                for path, member in whole.entries.items()
                if path.startswith(prefix)
                and not (without and path.startswith(without, len(prefix)))
            }
            if prefix or without
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

    Of a package that azpack builds itself more is known: its dependencies are `sound` if their
    native code was held against the target before they were packed, and `known` if nothing is to
    be said of them any more. Then neither their metadata nor their code is read: `installed` and
    `native` have what else there is.
    """

    def __init__(
        self,
        package: ZipTree,
        twin: Twin | None = None,
        *,
        sound: bool = False,
        known: bool = False,
    ) -> None:
        """Look at the names; the files are read when they are asked for.

        What a `twin` has too is taken from there.
        """
        self.zip = package
        self._twin = twin
        self.prefix = _find_prefix(package.entries)
        self.tree = AppTree(package, self.prefix)
        self._sound = SITE_PACKAGES if sound else ""
        self._read = AppTree(package, self.prefix, without=SITE_PACKAGES) if known else self.tree

    @cached_property
    def installed(self) -> tuple[Installed, ...]:
        """The distributions, wherever they are."""
        return read_installed(self._read)

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
        found = self._native_in_zip
        if not self.prefix:
            return found
        start = len(self.prefix)
        return NativeFiles(
            tuple(_renamed(code, start) for code in found.codes),
            tuple(file._replace(path=file.path[start:]) for file in found.foreign),
        )

    @cached_property
    def _native_in_zip(self) -> NativeFiles:
        """The same by its paths in the zip; what the twin has too is not read again."""
        paths = [self.prefix + path for path in self._read.entries]
        if self._twin is None or self._twin.contents.prefix != self.prefix:
            return read_native(self.zip, paths, sound=self._sound)
        same, known = self._twin.same, self._twin.contents._native_in_zip
        own = read_native(self.zip, (path for path in paths if path not in same))
        codes = [*own.codes, *(code for code in known.codes if code.name in same)]
        foreign = [*own.foreign, *(file for file in known.foreign if file.path in same)]
        return NativeFiles(
            tuple(sorted(codes, key=lambda code: code.name)),
            tuple(sorted(foreign, key=lambda file: file.path)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """Another package, and the paths in its zip at which a second one holds the same bytes."""

    contents: PackageContents
    same: frozenset[str]


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
    """A package that is checked.

    `is_remote` says that it is to be built on the platform, and `overridden` has the names (PEP
    503) of the distributions whose versions the user chose whatever others ask for.
    """

    contents: PackageContents = field(repr=False)
    is_remote: bool = False
    overridden: frozenset[str] = frozenset()
