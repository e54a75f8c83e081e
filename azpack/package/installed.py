"""The distributions in a tree, as their metadata have them.

Source: PEP 376 and PEP 627 (RECORD), the core metadata specification, PEP 427 (WHEEL).
"""

from __future__ import annotations

import csv
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azpack.errors import FileError
from azpack.package.oddities import printable, without_controls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from azpack.app.tree import Tree

_INFO = re.compile(r"(.*/)?([^/]+)\.dist-info/[^/]+")
# In bytes. What counts of METADATA stands at its start; that of the distribution with the most
# requirements has 200 KB of it. The largest RECORD of a thousand wheels has 3 MB.
_LARGEST_HEAD = 1 << 20
_LARGEST_RECORD = 16 << 20
# Of all distributions together; a thousand of them have a third of that.
_MOST_TEXT = 96 << 20
_FIELDS = ("name", "version", "requires-dist", "requires-python", "tag")
_LONGEST_SHOWN = 200  # of a name or a version
_LONGEST_PATH = 4096
_MOST_REQUIREMENTS = 50_000
_LONGEST_NUMBER = 20
_RECORD_COLUMNS = 3
_RUNS = re.compile(r"[-_.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A distribution: what its .dist-info says of it.

    `root` is the folder that it is installed to, "" or with a slash at the end, and `info` its
    .dist-info folder, without. `record` has for each of its files the size that RECORD gives, if
    it does; None where there is no RECORD. `fault` is what is wrong with the metadata; then name
    and version are those of the folder.
    """

    name: str
    version: str
    root: str
    info: str
    requires_python: str
    requires: tuple[str, ...]
    tags: tuple[str, ...]
    record: Mapping[str, int | None] | None
    fault: str = ""

    @property
    def key(self) -> str:
        """The name in its canonical form (PEP 503)."""
        return canonical(self.name)


def canonical(name: str) -> str:
    """A name as it is compared (PEP 503), without what importing `packaging` costs."""
    return _RUNS.sub("-", name).lower()


def read_installed(tree: Tree) -> tuple[Installed, ...]:
    """All distributions of a tree, sorted by name, but for those that others carry within.

    Raises:
        FileError: a file is damaged.
    """
    folders: dict[str, set[str]] = {}
    for path in tree.paths():
        if ".dist-info/" in path and (match := _INFO.fullmatch(path)):
            info = f"{match[1] or ''}{match[2]}.dist-info"
            folders.setdefault(info, set()).add(path[len(info) + 1 :])
    reader = _Reader(tree)
    found = [reader.installed(info, files) for info, files in folders.items()]
    # Such as setuptools/_vendor/NAME.dist-info.
    carried = {path for entry in found for path in entry.record or ()}
    return tuple(
        sorted(
            (entry for entry in found if not _is_carried(entry, carried)),
            key=lambda entry: (entry.key, entry.info),
        )
    )


def _is_carried(entry: Installed, listed: set[str]) -> bool:
    """Whether another distribution lists this one's metadata as its own."""
    own = entry.record or {}
    return any(
        f"{entry.info}/{name}" in listed and f"{entry.info}/{name}" not in own
        for name in ("METADATA", "RECORD")
    )


class _Reader:
    """Reads metadata, and no more of them than a sound package can have."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._text = _MOST_TEXT
        self._rows = 2 * len(tree.paths()) + _MOST_REQUIREMENTS
        self._requirements = _MOST_REQUIREMENTS

    def installed(self, info: str, files: set[str]) -> Installed:
        root, _, folder = info.rpartition("/")
        root += "/" if root else ""
        fault = ""
        fields: dict[str, list[str]] = {}
        if "METADATA" in files:
            fields = headers(self._read(f"{info}/METADATA", _LARGEST_HEAD))
            if "name" not in fields or "version" not in fields:
                fault = "METADATA has no name or no version"
        else:
            fault = "METADATA is missing"
        wheel = headers(self._read(f"{info}/WHEEL", _LARGEST_HEAD)) if "WHEEL" in files else {}
        requires = fields.get("requires-dist", [])
        self._requirements -= len(requires)
        record = self._record(info, root) if "RECORD" in files else None
        if self._requirements < 0:
            raise _too_much(info)
        name, _, version = folder.removesuffix(".dist-info").partition("-")
        return Installed(
            name=printable(fields.get("name", [name])[0][:_LONGEST_SHOWN]),
            version=printable(fields.get("version", [version])[0][:_LONGEST_SHOWN]),
            root=root,
            info=info,
            requires_python=fields.get("requires-python", [""])[0],
            requires=tuple(requires),
            tags=tuple(wheel.get("tag", ())),
            record=record,
            fault=fault,
        )

    def _read(self, path: str, limit: int) -> bytes:
        content = self._tree.read(path, limit)
        self._text -= len(content)
        if self._text < 0:
            raise _too_much(path)
        return content

    def _record(self, info: str, root: str) -> dict[str, int | None]:
        """The files in a RECORD, but for those outside the folder, such as scripts in bin."""
        text = self._read(f"{info}/RECORD", _LARGEST_RECORD).decode(errors="replace")
        record: dict[str, int | None] = {}
        for path, size in _rows(text):
            self._rows -= 1
            if self._rows < 0:
                raise _too_much(info)
            if len(path) > _LONGEST_PATH:
                continue
            path = path.replace("\\", "/")
            while path.startswith("./"):
                path = path[2:]
            if path and not path.startswith(("../", "/")) and not path.endswith("/"):
                known = size.isdecimal() and len(size) < _LONGEST_NUMBER
                record[root + without_controls(path)] = int(size) if known else None
        return record


def record_hashes(tree: Tree, entry: Installed) -> dict[str, tuple[str, str]]:
    """The hashes in a distribution's RECORD: by path the algorithm's name, and the value.

    They are read for those who ask, since they take more room than all the rest.

    Raises:
        FileError: a file can't be read.
    """
    path = f"{entry.info}/RECORD"
    text = tree.read(path, _LARGEST_RECORD).decode(errors="replace")
    found: dict[str, tuple[str, str]] = {}
    with suppress(csv.Error):
        for row in csv.reader(text.splitlines()):
            if len(row) == _RECORD_COLUMNS and "=" in row[1]:
                algorithm, _, value = row[1].partition("=")
                found[entry.root + row[0].replace("\\", "/")] = (algorithm, value)
    return found


def _too_much(path: str) -> FileError:
    return FileError(
        "bad-zip",
        f"the metadata of the distributions are larger than can be: {printable(path)}",
        hint="make the package again",
        context={"path": path},
    )


def headers(content: bytes, names: Iterable[str] = _FIELDS) -> dict[str, list[str]]:
    """Those of these fields that stand before the first empty line, by their names in lower case.

    That is all of the format that counts here; the parser of `email` takes fifty times as long.
    """
    text = content.decode(errors="replace").replace("\r\n", "\n").partition("\n\n")[0]
    fields: dict[str, list[str]] = {}
    shape = rf"^({'|'.join(names)}):(.*)"
    for name, value in re.findall(shape, text, re.IGNORECASE | re.MULTILINE):
        fields.setdefault(name.lower(), []).append(value.strip())
    return fields


def _rows(text: str) -> Iterable[tuple[str, str]]:
    """Paths and sizes; by hand where nothing is quoted, which takes a third of the time."""
    if '"' not in text:
        for line in text.splitlines():
            path, _, size = line.rpartition(",")
            yield path.rpartition(",")[0], size
        return
    try:
        for row in csv.reader(text.splitlines()):
            if len(row) == _RECORD_COLUMNS:
                yield row[0], row[2]
    except csv.Error:
        return
