"""A package's sizes as a tree that is small enough for a page: by distribution, then by folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import nlargest
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from azpack.report.overview import cut_front

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from azpack.package.inspection import Inspection, PackedEntry

KINDS = ("python", "native", "other")
_MOST_NAMED = 6000
_LONGEST_NAME = 120
_DEEPEST = 32
_MOST_PARTS = 1_000_000  # names on the ways to all files
_SITE_PACKAGES = "site-packages/"


class _Placed(NamedTuple):
    """A file with the names that lead to it: its group, folders, and its own."""

    parts: tuple[str, ...]
    file: PackedEntry


class _Candidate(NamedTuple):
    """A file or folder that may be named; the largest share of all counts, then what is higher."""

    share: float
    height: int
    key: tuple[str, ...]


@dataclass(slots=True)
class _Folder:
    """A folder while it is filled; `rest` has what is not named, summed up by kind."""

    folders: dict[str, _Folder] = field(default_factory=dict)
    files: list[list[Any]] = field(default_factory=list)
    rest: dict[int, list[int]] = field(default_factory=dict)


def size_tree(inspection: Inspection, *, most_named: int = _MOST_NAMED) -> list[Any]:
    """The sizes as lists for JSON, in the order of the names.

    A folder is `[name, [what is in it]]`, a file `[name, compressed size, size, index of KINDS]`.
    Distributions stand at the top, and are always named; of what is in them only the `most_named`
    largest files and folders are. All else is `[how many, …]` in the place of a file, for each
    kind, in the nearest folder that is named. Names are cut, and a folder that has nothing but
    another one is one with it: `a/b`.
    """
    files = _placed(inspection)
    whole = _Folder(folders={parts[0]: _Folder() for parts, _ in files})
    candidates = nlargest(most_named, _candidates(files))
    _fill(whole, files, {candidate.key for candidate in candidates})
    groups = [[_cut(name), _children(group)] for name, group in whole.folders.items()]
    return [inspection.package.path.name, groups]


def _placed(inspection: Inspection) -> list[_Placed]:
    """The files, so sorted that those below a folder stand together."""
    versions: dict[str, list[str]] = {}
    for distribution in inspection.distributions:
        versions.setdefault(distribution.name, []).append(distribution.version)
    groups = {name: f"{name} {', '.join(found)}" for name, found in versions.items()}
    files = []
    deepest = max(min(_DEEPEST, _MOST_PARTS // max(len(inspection.files), 1)), 1)
    for file in inspection.files:
        inner = file.path.partition(_SITE_PACKAGES)[2]
        if file.distribution is not None:
            group = groups[file.distribution]
        else:
            group = "loose files" if inner else "the app"
        # Hostile packages have deeper folders; they are not told apart.
        names = (inner or file.path).split("/", deepest)
        files.append(_Placed((group, *names), file))
    return sorted(files, key=itemgetter(0))


def _candidates(files: list[_Placed]) -> Iterator[_Candidate]:
    """All files and folders below the groups; no folder has a smaller share than what is in it."""
    packed = sum(file.compressed_size for _, file in files) or 1
    unpacked = sum(file.size for _, file in files) or 1
    open_: list[list[int]] = []  # the sizes of the folders on the way to the file before
    before: tuple[str, ...] = ()

    def closed(depth: int) -> Iterator[_Candidate]:
        while len(open_) > depth:
            share = max(open_[-1][0] / packed, open_[-1][1] / unpacked)
            yield _Candidate(share, -len(open_), (*before[: len(open_) + 1], ""))
            inner = open_.pop()
            if open_:
                open_[-1][0] += inner[0]
                open_[-1][1] += inner[1]

    for parts, file in files:
        folders = parts[1:-1]
        yield from closed(_common(folders, before[1:-1]) if parts[:1] == before[:1] else 0)
        before = parts
        open_ += [[0, 0] for _ in range(len(folders) - len(open_))]
        if open_:
            open_[-1][0] += file.compressed_size
            open_[-1][1] += file.size
        share = max(file.compressed_size / packed, file.size / unpacked)
        yield _Candidate(share, 1 - len(parts), parts)
    yield from closed(0)


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many names at the start are the same."""
    count = 0
    for mine, others in zip(one, other, strict=False):
        if mine != others:
            break
        count += 1
    return count


def _fill(whole: _Folder, files: Iterable[_Placed], named: set[tuple[str, ...]]) -> None:
    for parts, file in files:
        folder = whole.folders[parts[0]]
        for depth in range(2, len(parts)):
            if (*parts[:depth], "") not in named:
                break
            folder = folder.folders.setdefault(parts[depth - 1], _Folder())
        kind = _kind(file)
        if parts in named:
            folder.files.append([_cut(parts[-1]), file.compressed_size, file.size, kind])
        else:
            rest = folder.rest.setdefault(kind, [0, 0, 0])
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
