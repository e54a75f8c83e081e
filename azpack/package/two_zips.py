"""Two zips side by side: which files hold other bytes, and how else the zips differ."""

from __future__ import annotations

import hashlib
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from azpack.app.json_text import JsonError, parse_json
from azpack.app.limits import LARGEST_JSON
from azpack.errors import FileError
from azpack.package.comparing import Side, compare_packages
from azpack.package.contents import PackageContents, Twin
from azpack.package.inspection import inspect_contents
from azpack.package.zip_tree import ZipTree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from azpack.checks.selection import Selection
    from azpack.package.changes import Comparison

__all__ = ["compare_zips"]

_CHUNK = 1 << 20


def compare_zips(old: Path, new: Path, selection: Selection | None = None) -> Comparison:
    """What changed from the package at `old` to the one at `new`; nothing is unpacked to disk.

    Findings are those of the rules in `selection`.

    Raises:
        FileError: one of them can't be read, or is damaged.
    """
    try:
        with ZipTree(old) as before, ZipTree(new) as after:
            return _compare(before, after, selection)
    except FileError as error:
        # Both may have the same name.
        path = str(error.context.get("path"))
        if path not in (str(old), str(new)) or path in error.message:
            raise
        raise FileError(
            error.code, f"{path}: {error.message}", hint=error.hint, context=error.context
        ) from error


def _compare(old: ZipTree, new: ZipTree, selection: Selection | None) -> Comparison:
    rewritten = _rewritten(old, new)
    same = (old.entries.keys() & new.entries.keys()) - rewritten
    first = PackageContents(old)
    # What native code needs takes longer to read than all else.
    second = PackageContents(new, Twin(contents=first, same=frozenset(same)))
    return compare_packages(
        _side(first, selection),
        _side(second, selection),
        rewritten=rewritten,
        repacked=_repacked(old, new),
    )


def _side(contents: PackageContents, selection: Selection | None) -> Side:
    return Side(
        inspection=inspect_contents(contents, selection=selection),
        root=contents.prefix,
        host=_host(contents),
        oddities=contents.zip.oddities,
    )


def _host(contents: PackageContents) -> Mapping[str, Any] | None:
    try:
        if contents.tree.size("host.json") > LARGEST_JSON:
            return None
        value = parse_json(contents.tree.read("host.json")).value
    except (KeyError, JsonError):
        return None
    return value if isinstance(value, dict) else None


def _rewritten(old: ZipTree, new: ZipTree) -> frozenset[str]:
    """The paths that both have with other content."""
    return frozenset(
        path for path in old.entries if path in new.entries and not _same_content(old, new, path)
    )


def _same_content(old: ZipTree, new: ZipTree, path: str) -> bool:
    """Whether a file is the same, byte by byte: it takes no art to make the CRC of another."""
    first, second = old.entries[path], new.entries[path]
    if (first.size, first.crc) != (second.size, second.crc):
        return False
    if (first.method, first.compressed_size) == (second.method, second.compressed_size):
        pairs = zip_longest(old.packed(path), new.packed(path))
        if all(one == other for one, other in pairs):
            return True
    return _digest(old, path) == _digest(new, path)


def _digest(tree: ZipTree, path: str) -> bytes:
    digest = hashlib.sha256()
    for piece in tree.pieces(path):
        digest.update(piece)
    return digest.digest()


def _repacked(old: ZipTree, new: ZipTree) -> tuple[str, ...] | None:
    """In what zips with the same content differ; None where they are the same bytes."""
    if old.file_size == new.file_size and _same_bytes(old.path, new.path):
        return None
    first, second = (
        sorted(tree.entries.items(), key=lambda entry: entry[1].header_offset)
        for tree in (old, new)
    )
    pairs = [(old.entries[path], new.entries[path]) for path in old.entries if path in new.entries]
    found = {
        "the order of entries": [path for path, _ in first] != [path for path, _ in second],
        "their times": any(one.timestamp != other.timestamp for one, other in pairs),
        "compression": any(
            (one.method, one.compressed_size) != (other.method, other.compressed_size)
            for one, other in pairs
        ),
        "entries for folders": old.count - len(first) != new.count - len(second),
    }
    return tuple(what for what, differs in found.items() if differs) or ("other details",)


def _same_bytes(old: Path, new: Path) -> bool:
    with open(old, "rb") as first, open(new, "rb") as second:
        return all(
            one == other
            for one, other in zip_longest(
                iter(lambda: first.read(_CHUNK), b""), iter(lambda: second.read(_CHUNK), b"")
            )
        )
