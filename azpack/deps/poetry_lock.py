"""What a poetry.lock says, in any form that Poetry 1 and 2 have given it.

Hashes stand in `[metadata]` up to lock version 1.1 and in each package from 2.0 on; from 2.1 on
each package also has its groups, and the markers under which they ask for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from azpack.app.config import read_toml
from azpack.deps.lock import normalized
from azpack.deps.poetry_syntax import any_of, settle_extras
from azpack.errors import ResolutionError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

AGAIN = "make it anew: poetry lock"

_NAME = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?", re.ASCII)
_HASH = re.compile(r"\w+:[0-9a-fA-F]+", re.ASCII)
_OF_SSH = re.compile(r"(?:[\w.-]+@)?[\w.-]+:(?!/)\S+", re.ASCII)  # me@host:path, as git has it
_BY = re.compile(r"#.*\bPoetry (\d+)\.(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a package comes from, if that is not PyPI, as the lock has it.

    `kind` is legacy for an index, or git, url, file or directory; `reference` is the commit.
    """

    kind: str
    url: str
    reference: str = ""
    subdirectory: str = ""

    def requirement_url(self, folder: Path) -> str:
        """What a requirement has behind the @; relative paths start at `folder`."""
        suffix = f"#subdirectory={self.subdirectory}" if self.subdirectory else ""
        if self.kind == "url":
            return f"{self.url}{suffix}"
        if self.kind != "git":
            return f"{_file_url(folder, self.url)}{suffix}"
        url = self.url
        if "://" not in url:
            host, _, path = url.partition(":")
            is_of_ssh = _OF_SSH.fullmatch(url)
            url = f"ssh://{host}/{path}" if is_of_ssh else _file_url(folder, url)
        return f"git+{url}@{self.reference}{suffix}"


def _file_url(folder: Path, path: str) -> str:
    return (folder / path).resolve().as_uri()


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPackage:
    """An entry of the lock; `name` is normalized, `python` in Poetry's syntax.

    `needs` are the names that it depends on, under whatever marker. `groups` is None in locks
    that do not say; `markers` are by group.
    """

    name: str
    version: str
    python: str = "*"
    source: Source | None = None
    hashes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    groups: tuple[str, ...] | None = None
    markers: tuple[tuple[str, str], ...] = ()

    def is_of(self, groups: Collection[str]) -> bool:
        """Whether one of these groups asks for it, as far as the lock says."""
        return self.groups is None or any(group in groups for group in self.groups)

    def marker(self, groups: Collection[str], extras: Collection[str]) -> str:
        """Where these groups ask for it; empty where that is everywhere, or the lock is silent."""
        if self.groups is None:
            return ""
        markers = dict(self.markers)
        asking = [group for group in self.groups if group in groups]
        return any_of(settle_extras(markers.get(group, ""), extras) for group in asking)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoetryLock:
    """A poetry.lock; `made_by` are the first two numbers of Poetry's version, where it says so.

    `content_hash` is of what Poetry made it from.
    """

    packages: tuple[LockedPackage, ...]
    content_hash: str
    made_by: tuple[int, int] | None


def read_poetry_lock(path: Path, name: str) -> PoetryLock:
    """Read the poetry.lock at `path`, which errors call `name`.

    Raises:
        UsageError: it is not TOML.
        FileError: it can't be read.
        ResolutionError: it is no poetry.lock, or one of a Poetry that is not known yet.
    """
    lock = _Table(content=read_toml(path), place=name)
    metadata = lock.table("metadata")
    version = metadata.text("lock-version")
    if not re.fullmatch(r"[12](\.\d+)*", version, re.ASCII):
        raise ResolutionError(
            "unknown-lock-version",
            f"{name} has the lock version {version!r}; azpack reads 1 and 2",
            hint="write a requirements.txt with 'poetry export', or use a newer azpack",
        )
    packages = []
    for number, entry in enumerate(lock.rows("package"), 1):
        place = f"{name}: package {number}"
        if isinstance(title := entry.content.get("name"), str):
            place = f"{place} ({title})"
        packages.append(_package(_Table(content=entry.content, place=place), metadata))
    with open(path, encoding="utf-8-sig") as file:
        made_by = _BY.match(file.readline())
    return PoetryLock(
        packages=tuple(packages),
        content_hash=metadata.text("content-hash", ""),
        made_by=(int(made_by[1]), int(made_by[2])) if made_by else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A table of the lock, asked for values of the type that Poetry writes there."""

    content: Mapping[str, Any]
    place: str

    def text(self, key: str, default: str | None = None) -> str:
        value = self.content.get(key, default)
        # It becomes part of a line that a resolver reads.
        if not isinstance(value, str) or not value.isprintable():
            self.refuse(f"{key} must be a string")
        return value

    def table(self, key: str) -> _Table:
        value = self.content.get(key, {})
        if not isinstance(value, dict):
            self.refuse(f"{key} must be a table")
        return _Table(content=value, place=f"{self.place}: {key}")

    def rows(self, key: str) -> Iterator[_Table]:
        values = self.content.get(key, [])
        if not isinstance(values, list) or not all(isinstance(it, dict) for it in values):
            self.refuse(f"{key} must be a list of tables")
        return (_Table(content=value, place=f"{self.place}: {key}") for value in values)

    def texts(self, key: str) -> tuple[str, ...]:
        values = self.content.get(key, [])
        if not isinstance(values, list) or not all(isinstance(it, str) for it in values):
            self.refuse(f"{key} must be a list of strings")
        return tuple(values)

    def refuse(self, fault: str) -> NoReturn:
        raise ResolutionError("bad-lock", f"{self.place}: {fault}", hint=AGAIN)


def _package(entry: _Table, metadata: _Table) -> LockedPackage:
    from packaging.version import InvalidVersion, Version

    name, version = entry.text("name"), entry.text("version")
    if not _NAME.fullmatch(name):
        entry.refuse("name is none of a distribution")
    try:
        Version(version)
    except InvalidVersion:
        entry.refuse(f"{version!r} is no version")
    groups = tuple(map(normalized, entry.texts("groups"))) if "groups" in entry.content else None
    return LockedPackage(
        name=normalized(name),
        version=version,
        python=entry.text("python-versions", "*"),
        source=_source(entry.table("source")) if "source" in entry.content else None,
        hashes=_hashes(entry, name, metadata),
        needs=tuple(sorted(map(normalized, entry.table("dependencies").content))),
        groups=groups,
        markers=tuple(_markers(entry, groups or ())),
    )


def _source(table: _Table) -> Source:
    kind = table.text("type", "legacy")  # Poetry 1.0 left it out for an index
    if kind not in ("legacy", "git", "url", "file", "directory"):
        table.refuse(f"azpack does not know the type {kind!r}")
    return Source(
        kind=kind,
        url=table.text("url"),
        reference=table.text("resolved_reference") if kind == "git" else "",
        subdirectory=table.text("subdirectory", ""),
    )


def _hashes(entry: _Table, name: str, metadata: _Table) -> tuple[str, ...]:
    if "files" in entry.content:
        found = [row.text("hash") for row in entry.rows("files")]
    elif "hashes" in metadata.content:  # Poetry 1.0
        digests = metadata.table("hashes").texts(name)
        found = [digest if ":" in digest else f"sha256:{digest}" for digest in digests]
    else:
        found = [row.text("hash") for row in metadata.table("files").rows(name)]
    for value in found:
        if not _HASH.fullmatch(value):
            entry.refuse(f"{value!r} is no hash")
    return tuple(sorted({value.lower() for value in found}))


def _markers(entry: _Table, groups: Collection[str]) -> Iterator[tuple[str, str]]:
    from packaging.markers import InvalidMarker, Marker

    value = entry.content.get("markers", "")
    texts = entry.table("markers") if isinstance(value, dict) else None
    for group in groups if texts is None else texts.content:
        text = entry.text("markers", "") if texts is None else texts.text(group)
        if not text:
            continue
        try:
            Marker(text)
        except InvalidMarker:
            entry.refuse(f"{text!r} is no marker")
        yield normalized(group), text
