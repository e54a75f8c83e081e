"""What an app is made from: its own folder, and what it shares with others beside it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from azpack.app.config import read_toml
from azpack.app.shared import find_shared_folders
from azpack.deps.requirements import find_requirements, is_lock_name, locate, table_in
from azpack.deps.resolver import name_in
from azpack.deps.uv_workspace import find_workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from azpack.app.project import Project
    from azpack.options import Options

__all__ = ["find_sources"]

_NOT_THE_PATH = re.compile(r"^(?:-e\s+)?(?:[\w.-]+\s*(?:\[[^\]]*\])?\s*@\s*)?")
_AFTER_THE_PATH = re.compile(r"(?:\[[^\]/]*\])?(?:\s*;.*|#.*|\s.*)?$")


def find_sources(project: Project, options: Options) -> tuple[Path, ...]:
    """The files and folders that the package of an app is made from, as sorted real paths.

    That is the project, the folders that `include` names, the files that list its dependencies,
    and what these name by path; a distribution in such a folder may name others in its turn.

    Raises:
        UsageError: what lists the dependencies can't be understood.
    """
    root = project.root
    shared = find_shared_folders(root, options.include)
    listing, named = _listed(root, options)
    found = {root, *listing, *(Path(folder.place) for folder in shared)}
    pending = [*named, *_named_by_pyproject(root)]
    while pending:
        source = pending.pop()
        if source not in found:
            found.add(source)
            pending += _named_by_pyproject(source) if source.is_dir() else ()
    return tuple(sorted({Path(os.path.realpath(path)) for path in found}))


def _listed(root: Path, options: Options) -> tuple[list[Path], list[Path]]:
    """The files that list the dependencies, and the paths that requirements and a lock name."""
    locks = [name for name in options.requirements if is_lock_name(name)]
    lock = locate(root, locks[0]) if locks else root / "pylock.toml"
    listing, named = [lock], list(_named_by_lock(lock))
    if not locks:
        requirements = find_requirements(
            root, files=options.requirements, extras=options.extras, groups=options.groups
        )
        if requirements is not None:
            listing += [Path(os.path.normpath(root / file)) for file in requirements.files]
            folders = {root, *(path.parent for path in listing)}
            named += _existing(folders, requirements.lines())
    return listing, named


def _existing(folders: Iterable[Path], requirements: Iterable[str]) -> Iterator[Path]:
    """The paths that requirements name, relative to any of the folders, and that are there."""
    for text in requirements:
        path = _AFTER_THE_PATH.sub("", _NOT_THE_PATH.sub("", text))
        path = unquote(re.sub(r"^file:(//)?", "", path)) if path.startswith("file:") else path
        for folder in folders:
            if "/" in path and "://" not in path and os.path.exists(folder / path):
                yield Path(os.path.normpath(folder / path))


def _named_by_lock(lock: Path) -> Iterator[Path]:
    packages = read_toml(lock).get("packages", [])
    for package in packages if isinstance(packages, list) else []:
        for table in _tables(package):
            if isinstance(path := table.get("path"), str):
                yield Path(os.path.normpath(lock.parent / path))


def _named_by_pyproject(folder: Path) -> Iterator[Path]:
    """What a project takes from beside it, by uv's sources, by Poetry's or by `NAME @ file:`."""
    content = read_toml(folder / "pyproject.toml")
    listed = _dependencies(content)
    yield from _existing([folder], listed)
    poetry = table_in(table_in(content, "tool"), "poetry")
    for table in _tables(poetry):
        if isinstance(path := table.get("path"), str):
            yield Path(os.path.normpath(folder / path))
    workspace = find_workspace(folder)
    sources = _sources_of_uv(content, folder)
    if workspace is not None and workspace.root != folder:
        top = read_toml(workspace.root / "pyproject.toml")
        sources = {**_sources_of_uv(top, workspace.root), **sources}
    for name in map(name_in, listed):
        path = sources.get(name)
        if path is not None:
            yield path
        elif name in sources and workspace is not None:
            yield from workspace.named(name)


def _sources_of_uv(content: Mapping[str, Any], folder: Path) -> dict[str, Path | None]:
    """By name where uv takes a distribution from; None for a member of the workspace."""
    found: dict[str, Path | None] = {}
    for name, source in table_in(table_in(table_in(content, "tool"), "uv"), "sources").items():
        for table in _tables(source):
            if isinstance(path := table.get("path"), str):
                found[name_in(name)] = Path(os.path.normpath(folder / path))
            elif table.get("workspace") is True:
                found[name_in(name)] = None
    return found


def _dependencies(content: Mapping[str, Any]) -> Sequence[str]:
    project = table_in(content, "project")
    groups = (table_in(project, "optional-dependencies"), table_in(content, "dependency-groups"))
    lists = [project.get("dependencies"), *(texts for group in groups for texts in group.values())]
    return [text for texts in lists if isinstance(texts, list) for text in texts
            if isinstance(text, str)]  # fmt: skip


def _tables(value: object) -> Iterator[Mapping[str, Any]]:
    """All tables in a value of a TOML file, itself included."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _tables(inner)
