"""A package's sizes as a tree that is small enough for a page: by distribution, then by folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import nlargest
from typing import TYPE_CHECKING, Any

from azpack.report.overview import cut_front

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from azpack.package.inspection import Inspection, PackedEntry

KINDS = ("python", "native", "other")
_MOST_FILES = 4000
_LONGEST_NAME = 120
_SITE_PACKAGES = "site-packages/"


@dataclass(slots=True)
class _Folder:
    """A folder while it is filled; `rest` has for each kind how many files are not named, and
    their two sizes.
    """

    folders: dict[str, _Folder] = field(default_factory=dict)
    files: list[list[Any]] = field(default_factory=list)
    rest: dict[int, list[int]] = field(default_factory=dict)


def size_tree(inspection: Inspection, *, most_files: int = _MOST_FILES) -> list[Any]:
    """The sizes as lists for JSON, in the order of the paths.

    A folder is `[name, [what is in it]]`, a file `[name, compressed size, size, index of KINDS]`.
    Only the `most_files` largest files are named. The others are `[how many, …]` in the place of a
    file, for each kind, in their nearest folder that has one of the largest. Names are cut, and a
    folder that has nothing but another one is one with it: `a/b`.
    """
    kept = {file.path for file in nlargest(most_files, inspection.files, key=_rank)}
    groups: dict[str, list[PackedEntry]] = {"the app": []}
    versions = _versions(inspection)
    for file in inspection.files:
        groups.setdefault(_group(file, versions), []).append(file)
    whole = [
        [_cut(name), _children(_filled(files, kept))] for name, files in groups.items() if files
    ]
    return [inspection.package.path.name, whole]


def _rank(file: PackedEntry) -> tuple[int, str]:
    return max(file.size, file.compressed_size), file.path


def _versions(inspection: Inspection) -> dict[str, str]:
    """The names of distributions with their versions; one that is there twice has both."""
    found: dict[str, list[str]] = {}
    for distribution in inspection.distributions:
        found.setdefault(distribution.name, []).append(distribution.version)
    return {name: f"{name} {', '.join(versions)}" for name, versions in found.items()}


def _group(file: PackedEntry, versions: dict[str, str]) -> str:
    if file.distribution is not None:
        return versions[file.distribution]
    return "of no distribution" if _SITE_PACKAGES in file.path else "the app"


def _filled(files: Sequence[PackedEntry], kept: set[str]) -> _Folder:
    root = _Folder()
    for file in sorted(files, key=lambda file: file.path not in kept):
        inner = file.path.partition(_SITE_PACKAGES)[2] or file.path
        *folders, name = inner.split("/")
        if file.path in kept:
            folder = root
            for part in folders:
                folder = folder.folders.setdefault(part, _Folder())
            folder.files.append([_cut(name), file.compressed_size, file.size, _kind(file)])
        else:
            _add_to_rest(_nearest(root, folders), file)
    return root


def _nearest(folder: _Folder, parts: Iterable[str]) -> _Folder:
    """The folder that a path leads to, or the last one on the way that is there."""
    for part in parts:
        if part not in folder.folders:
            break
        folder = folder.folders[part]
    return folder


def _add_to_rest(folder: _Folder, file: PackedEntry) -> None:
    rest = folder.rest.setdefault(_kind(file), [0, 0, 0])
    rest[0] += 1
    rest[1] += file.compressed_size
    rest[2] += file.size


def _kind(file: PackedEntry) -> int:
    if file.native:
        return KINDS.index("native")
    return KINDS.index("python" if file.path.endswith((".py", ".pyc")) else "other")


def _children(folder: _Folder) -> list[Any]:
    children: list[Any] = []
    for name, inner in folder.folders.items():
        while len(inner.folders) == 1 and not inner.files and not inner.rest:
            ((below, inner),) = inner.folders.items()
            name = f"{name}/{below}"
        children.append([_cut(name), _children(inner)])
    rest = [[*sums, kind] for kind, sums in sorted(folder.rest.items())]
    return [*children, *folder.files, *rest]


def _cut(name: str) -> str:
    return cut_front(name, _LONGEST_NAME)
