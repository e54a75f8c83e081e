"""What a project depends on: requirements files, pyproject.toml, uv.lock, poetry.lock."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from azpack.app.config import read_toml
from azpack.deps.uv_workspace import find_workspace_lock, locked_project
from azpack.errors import UsageError
from azpack.redaction import LITERAL_SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Kind = Literal["requirements", "pyproject", "uv.lock", "poetry.lock"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A line of a requirements file: `text` without comment and options, `place` is FILE:LINE."""

    text: str
    place: str
    hashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """All that a project asks for, from one kind of source.

    `files` are what was read, relative to the project root, the first ones named; of the options
    in requirements files those for indexes may hold `${NAME}`, unexpanded. `explicit_index_urls`
    are indexes that uv asks for some names alone. `overrides` stand in the place of whatever else
    asks for their names. `require_hashes` says, as for pip, that what has no hash is refused: by
    option, or because one line has one. `digest` is of what the requirements say, not of their
    comments and line ends. `stale` says that they are of a poetry.lock which was made from another
    pyproject.toml.
    """

    kind: Kind
    files: tuple[str, ...]
    digest: str
    requirements: tuple[Requirement, ...] = ()
    constraints: tuple[Requirement, ...] = ()
    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    explicit_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    no_index: bool = False
    prereleases: bool = False
    options: tuple[str, ...] = ()
    require_hashes: bool = False
    overrides: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    stale: bool = False

    def lines(self) -> tuple[str, ...]:
        """All that was read as single lines: requirements, constraints and overrides."""
        listed = (*self.requirements, *self.constraints)
        return (*(requirement.text for requirement in listed), *self.overrides)

    def urls(self) -> tuple[str, ...]:
        """The URLs of indexes and links in requirements files, with `${NAME}` unexpanded."""
        indexes = (*self.extra_index_urls, *self.explicit_index_urls)
        return (self.index_url or "", *indexes, *self.find_links)

    @property
    def has_password(self) -> bool:
        """Whether a URL of an index has a password in plain, not as `${NAME}`."""
        return any(map(LITERAL_SECRET.search, self.urls()))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for (known of requirements files and poetry.lock alone)."""
        return self.kind in ("requirements", "poetry.lock") and not self.requirements


def find_requirements(
    root: Path,
    *,
    files: Sequence[str] = (),
    extras: Sequence[str] = (),
    groups: Sequence[str] = (),
) -> Requirements | None:
    """Read what `files` list, else the first of the project's own sources.

    These are requirements.txt, uv.lock (in the project, or of its workspace), a Poetry project's
    poetry.lock, pyproject.toml.

    Returns:
        None where the project lists no dependencies anywhere.

    Raises:
        UsageError: a file is missing or says what can't be understood.
        ResolutionError: the file is a poetry.lock that can't be read.
    """
    if not files:
        for name in ("requirements.txt", *_READERS):
            # A folder of that name is met when it is read: it must not be passed over in silence.
            if (root / name).exists() and _counts(root, name):
                files = (str(root / name),)
                break
            if name == "uv.lock" and (lock := find_workspace_lock(root)):
                files = (str(lock),)
                break
        else:
            return None
    names = {Path(name).name for name in files}
    for kind, read in _READERS.items():
        if kind in names and len(files) > 1:
            raise UsageError(
                "mixed-requirements",
                f"{kind} can't be combined with other requirements",
                hint="name one lock or pyproject.toml, or any number of requirements files",
            )
        if kind in names:
            return read(root, files[0], extras, groups)
    from azpack.deps.requirements_file import read_requirements_files

    return read_requirements_files(root, [locate(root, name) for name in files])


def is_lock_name(name: str) -> bool:
    """Whether a file is a lock by its name: pylock.toml or pylock.NAME.toml (PEP 751)."""
    return re.fullmatch(r"pylock(\.[^.]+)?\.toml", name.rpartition("/")[2]) is not None


def locate(root: Path, name: str) -> Path:
    """The path of a requirements file: in the working folder, else in the project."""
    path = Path(name)
    return path.absolute() if path.is_absolute() or path.exists() else root / path


def _counts(root: Path, name: str) -> bool:
    """Whether a file lists dependencies: pyproject.toml may only configure tools."""
    if name not in ("poetry.lock", "pyproject.toml"):
        return True
    content = read_toml(root / "pyproject.toml")
    if name == "pyproject.toml":
        return "project" in content or _lists_for_poetry(content)
    from azpack.deps.poetry_project import is_poetry_project

    return is_poetry_project(content)


def _lists_for_poetry(content: Mapping[str, Any]) -> bool:
    """Whether a pyproject.toml lists dependencies where Poetry alone looks for them."""
    listed = table_in(table_in(table_in(content, "tool"), "poetry"), "dependencies")
    if "project" not in content:
        return bool(listed)
    others = [name for name in listed if name.lower() != "python"]
    return bool(others) and not table_in(content, "project").get("dependencies")


def digest_of(content: object) -> str:
    """The digest of what was read, given as plain values."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def relative_name(root: Path, path: Path) -> str:
    """How a file is named from the project: the same wherever that stands."""
    return Path(os.path.relpath(path, root)).as_posix()


def _pyproject(root: Path, name: str, extras: Sequence[str], groups: Sequence[str]) -> Requirements:
    path = locate(root, name)
    name = relative_name(root, path)
    if not path.is_file():
        raise missing_file(name, "")
    content = read_toml(path)
    if _lists_for_poetry(content):
        raise UsageError(
            "poetry-dependencies",
            f"{name} lists its dependencies under [tool.poetry], which is read with a poetry.lock",
            hint="run 'poetry lock'; or move them to [project] (Poetry 2 reads it too), or write a "
            "requirements.txt with 'poetry export'",
        )
    project = content.get("project")
    if not isinstance(project, dict):
        raise UsageError(
            "no-project-table",
            f"{name} has no [project] table, so it lists no dependencies",
            hint="list them under [project] dependencies, or in a requirements.txt",
        )
    dynamic = project.get("dynamic")
    if isinstance(dynamic, list) and "dependencies" in dynamic:
        raise UsageError(
            "dynamic-dependencies",
            f"{name} leaves its dependencies to the build back end (dynamic)",
            hint="list them under [project] dependencies, or name their file with -r",
        )
    check_names(name, "extras", extras, project.get("optional-dependencies", {}))
    check_names(name, "groups", groups, content.get("dependency-groups", {}))
    uv = table_in(table_in(content, "tool"), "uv")
    place = f"{name} [tool.uv]"
    relevant = ("sources", "constraint-dependencies", "override-dependencies", "index")
    asked = {
        "dependencies": project.get("dependencies", []),
        "extras": {extra: project.get("optional-dependencies", {}) for extra in extras},
        "groups": {group: content.get("dependency-groups", {}) for group in groups},
        "uv": {key: uv[key] for key in relevant if key in uv},
    }
    indexes = list(_indexes_of_uv(uv, path, place))
    return Requirements(
        kind="pyproject",
        files=(name,),
        digest=digest_of(asked),
        index_url=next((it.url for it in indexes if it.role == "default"), None),
        extra_index_urls=tuple(it.url for it in indexes if it.role == "extra"),
        explicit_index_urls=tuple(it.url for it in indexes if it.role == "explicit"),
        find_links=tuple(it.url for it in indexes if it.role == "links"),
        constraints=tuple(
            Requirement(text=text, place=place)
            for text in texts_in(uv, "constraint-dependencies", place)
        ),
        overrides=texts_in(uv, "override-dependencies", place),
        extras=tuple(extras),
        groups=tuple(groups),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _IndexOfUv:
    """A `[[tool.uv.index]]`, and what it is in pip's words; `explicit` ones pip does not know."""

    url: str
    role: Literal["default", "extra", "explicit", "links"]


def _indexes_of_uv(uv: Mapping[str, Any], path: Path, place: str) -> Iterator[_IndexOfUv]:
    """The indexes that the `[tool.uv]` of a pyproject.toml names (docs.astral.sh/uv, "Indexes").

    Raises:
        UsageError: one has no URL.
    """
    tables = uv.get("index", [])
    named = _named_by_sources(uv)
    for table in tables if isinstance(tables, list) else [tables]:
        url = table.get("url") if isinstance(table, dict) else None
        if not isinstance(url, str):
            raise UsageError("bad-setting", f"{place}: an index needs a url")
        is_flat = table.get("format") == "flat"
        if "://" not in url:
            folder = Path(os.path.normpath(path.parent / url))
            url = str(folder) if is_flat else folder.absolute().as_uri()
        if table.get("explicit") is True:
            if table.get("name") in named:
                yield _IndexOfUv(url=url, role="explicit")
        elif is_flat:
            yield _IndexOfUv(url=url, role="links")
        else:
            yield _IndexOfUv(url=url, role="default" if table.get("default") is True else "extra")


def _named_by_sources(uv: Mapping[str, Any]) -> set[object]:
    """The names of the indexes that something is taken from by `[tool.uv.sources]`."""
    sources = table_in(uv, "sources").values()
    tables = [it for source in sources for it in (source if isinstance(source, list) else [source])]
    return {table.get("index") for table in tables if isinstance(table, dict)}


def table_in(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A table of a TOML file; empty where there is none of that name."""
    table = content.get(name)
    return table if isinstance(table, dict) else {}


def texts_in(table: Mapping[str, Any], name: str, place: str) -> tuple[str, ...]:
    """A list of strings in the table that stands at `place`; empty where there is none.

    Raises:
        UsageError: it is something else.
    """
    texts = table.get(name, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UsageError("bad-setting", f"{place}: {name} must be a list of strings")
    return tuple(texts)


def check_names(file: str, what: str, asked: Sequence[str], known: object) -> None:
    """Refuse extras or groups that the table `known` does not have.

    Raises:
        UsageError: there is one.
    """
    from packaging.utils import canonicalize_name

    names = list(known) if isinstance(known, dict) else []
    for name in asked:
        if canonicalize_name(name) not in map(canonicalize_name, names):
            raise UsageError(
                f"unknown-{what[:-1]}",
                f"[tool.azpack] {what} names {name!r}, which {file} does not have",
                hint=f"it has {', '.join(names) or 'none'}",
            )


def _uv_lock(root: Path, name: str, extras: Sequence[str], groups: Sequence[str]) -> Requirements:
    path = locate(root, name)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise missing_file(name, "") from None
    beside = read_toml(locked_project(root, path) / "pyproject.toml")
    uv = table_in(table_in(beside, "tool"), "uv")
    listed = [beside.get("project"), beside.get("dependency-groups"), uv]
    asked = [hashlib.sha256(content).hexdigest(), listed, list(extras), list(groups)]
    return Requirements(
        kind="uv.lock",
        files=(relative_name(root, path),),
        digest=digest_of(asked),
        overrides=texts_in(uv, "override-dependencies", "pyproject.toml [tool.uv]"),
        extras=tuple(extras),
        groups=tuple(groups),
    )


def _poetry_lock(
    root: Path, name: str, extras: Sequence[str], groups: Sequence[str]
) -> Requirements:
    from azpack.deps.poetry import read_requirements  # which takes this module's values

    return read_requirements(root, name, extras, groups)


# By the name of the file, in the order in which they are looked for.
_READERS = {"uv.lock": _uv_lock, "poetry.lock": _poetry_lock, "pyproject.toml": _pyproject}


def missing_file(name: str, included_at: str) -> UsageError:
    """The error for a file that is not there, perhaps one that another includes."""
    where = f", which {included_at} includes" if included_at else ""
    return UsageError("no-requirements-file", f"there is no {name}{where}", context={"file": name})
