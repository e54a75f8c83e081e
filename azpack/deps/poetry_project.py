"""What a Poetry project asks for: the tables of pyproject.toml as lines of requirements.

Poetry 1 has them all under `[tool.poetry]`. Poetry 2 takes `[project]` and `[dependency-groups]`
where they list something; what `[tool.poetry]` has of the same then only says where it comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azpack.app.config import read_toml
from azpack.deps.lock import normalized
from azpack.deps.poetry_syntax import (
    all_of,
    alternatives,
    platform_marker,
    python_marker,
    settle_extras,
)
from azpack.deps.pyproject import of_project, parse
from azpack.deps.requirements import Requirement, check_names, table_in, texts_in
from azpack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

_SOURCES = ("git", "path", "file", "url")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoetryProject:
    """The tables of a Poetry project's pyproject.toml, which errors call `name`."""

    name: str
    content: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path, name: str) -> PoetryProject:
        """Read the pyproject.toml at `path`.

        Raises:
            UsageError: it is not TOML.
            FileError: it can't be read.
        """
        return cls(name=name, content=read_toml(path))

    @property
    def project(self) -> dict[str, Any]:
        """`[project]`."""
        return table_in(self.content, "project")

    @property
    def poetry(self) -> dict[str, Any]:
        """`[tool.poetry]`."""
        return table_in(table_in(self.content, "tool"), "poetry")

    @property
    def groups(self) -> dict[str, Any]:
        """`[dependency-groups]` by normalized name."""
        groups = table_in(self.content, "dependency-groups")
        return {normalized(name): rows for name, rows in groups.items()}

    @property
    def poetry_groups(self) -> dict[str, dict[str, Any]]:
        """`[tool.poetry.group]` by normalized name, with Poetry 1.1's `dev-dependencies`."""
        groups = table_in(self.poetry, "group")
        found = {normalized(name): table_in(groups, name) for name in groups}
        if "dev-dependencies" in self.poetry:
            listed = table_in(found.setdefault("dev", {}), "dependencies")
            both = {**listed, **table_in(self.poetry, "dev-dependencies")}
            found["dev"] = {**found["dev"], "dependencies": both}
        return found

    @property
    def is_static(self) -> bool:
        """Whether `[project]` lists the dependencies, rather than `[tool.poetry]`."""
        listed = self.project.get("dependencies") or self.project.get("optional-dependencies")
        return bool(listed)


def is_poetry_project(content: Mapping[str, Any]) -> bool:
    """Whether a pyproject.toml is that of a Poetry project."""
    backend = table_in(content, "build-system").get("build-backend")
    has_table = "poetry" in table_in(content, "tool")
    return has_table or str(backend).startswith(("poetry.", "poetry_"))  # poetry_dynamic_versioning


def listed_dependencies(
    project: PoetryProject, extras: Sequence[str], groups: Sequence[str]
) -> tuple[Requirement, ...]:
    """What the project lists itself, with its chosen extras and groups.

    Raises:
        UsageError: there is no such extra or group, or a table says what can't be understood.
    """
    name = project.name
    poetry_extras = {} if project.is_static else table_in(project.poetry, "extras")
    optional = table_in(project.project, "optional-dependencies")
    check_names(name, "extras", extras, optional if project.is_static else poetry_extras)
    check_names(name, "groups", groups, {**project.groups, **project.poetry_groups})
    found: list[Requirement] = []
    wanted: frozenset[str] = frozenset()
    if project.is_static:
        found += _of_project(project, extras)
    else:
        wanted = frozenset(_names_in(poetry_extras, extras, f"{name} [tool.poetry.extras]"))
    if not project.is_static or _is_dynamic(project):
        place = f"{name} [tool.poetry.dependencies]"
        found += _of_table(table_in(project.poetry, "dependencies"), place, wanted)
    seen: set[str] = set()
    for group in groups:
        found += _of_group(project, normalized(group), seen)
    return tuple(_without_url(entry, extras) for entry in found)


def _is_dynamic(project: PoetryProject) -> bool:
    """Whether only the extras stand in `[project]`."""
    dynamic = project.project.get("dynamic")
    return isinstance(dynamic, list) and "dependencies" in dynamic


def _of_project(project: PoetryProject, extras: Sequence[str]) -> Iterator[Requirement]:
    place = f"{project.name} [project]"
    texts_in(project.project, "dependencies", place)
    optional = table_in(project.project, "optional-dependencies")
    for extra in optional:
        texts_in(optional, extra, f"{place} optional-dependencies")
    return of_project({**project.project, "optional-dependencies": optional}, extras, project.name)


def _names_in(tables: Mapping[str, Any], extras: Sequence[str], place: str) -> Iterator[str]:
    chosen = set(map(normalized, extras))
    for extra in tables:
        if normalized(extra) in chosen:
            for text in texts_in(tables, extra, place):
                yield normalized(parse(text, place).name)


def _of_group(project: PoetryProject, group: str, seen: set[str]) -> Iterator[Requirement]:
    if group in seen:
        return
    seen.add(group)
    place = f"{project.name} [dependency-groups] {group}"
    rows = project.groups.get(group, [])
    if not isinstance(rows, list) or not all(isinstance(row, (str, dict)) for row in rows):
        raise UsageError("bad-groups", f"{place}: it must be a list of requirements")
    table = project.poetry_groups.get(group, {})
    included = [str(row.get("include-group")) for row in rows if isinstance(row, dict)]
    listed = [row for row in rows if isinstance(row, str)]
    for text in listed:
        yield Requirement(text=str(parse(text, place)), place=place)
    place = f"{project.name} [tool.poetry.group.{group}]"
    if not listed:
        yield from _of_table(table_in(table, "dependencies"), place, frozenset())
    for name in [*included, *texts_in(table, "include-groups", place)]:
        if normalized(name) not in {*project.groups, *project.poetry_groups}:
            raise UsageError("bad-groups", f"{place}: it includes {name!r}, which is not there")
        yield from _of_group(project, normalized(name), seen)


def _of_table(
    dependencies: Mapping[str, Any], place: str, wanted: Collection[str]
) -> Iterator[Requirement]:
    """The lines of a table in Poetry's form; of what is optional only that which is `wanted`."""
    for name, value in dependencies.items():
        if name.lower() == "python":
            continue
        for row in value if isinstance(value, list) else [value]:
            table = {"version": row} if isinstance(row, str) else row
            if not isinstance(table, dict):
                raise UsageError("bad-requirement", f"{place}: {name} is no dependency")
            if not table.get("optional") or normalized(name) in wanted:
                text = _line(name, table, place)
                yield Requirement(text=str(parse(text, place)), place=place)


def _line(name: str, table: Mapping[str, Any], place: str) -> str:
    place = f"{place}: {name}"
    extras = ",".join(texts_in(table, "extras", place))
    conditions = [_text(table, "markers", place)]
    for key, translate in (("python", python_marker), ("platform", platform_marker)):
        try:
            conditions.append(translate(_text(table, key, place) or "*"))
        except ValueError as error:
            raise UsageError("bad-requirement", f"{place}: {key}: {error}") from None
    marker = all_of(conditions)
    specifier = "" if any(key in table for key in _SOURCES) else _specifier(table, place)
    return f"{name}{f'[{extras}]' if extras else ''}{specifier}{f' ; {marker}' if marker else ''}"


def _specifier(table: Mapping[str, Any], place: str) -> str:
    """The versions, where PEP 440 can say them; the lock decides on them in any case."""
    try:
        versions = alternatives(_text(table, "version", place) or "*")
    except ValueError as error:
        raise UsageError("bad-requirement", f"{place}: version: {error}") from None
    return versions[0] if len(versions) == 1 else ""


def _text(table: Mapping[str, Any], key: str, place: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise UsageError("bad-requirement", f"{place}: {key} must be a string")
    return value


def _without_url(entry: Requirement, extras: Sequence[str]) -> Requirement:
    """The line without the place it is to come from: the lock has the exact one."""
    parsed = parse(settle_extras(entry.text, extras), entry.place)
    parsed.url = None
    return Requirement(text=str(parsed), place=entry.place)
