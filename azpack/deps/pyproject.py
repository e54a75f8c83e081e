"""The lines that a pyproject.toml stands for, for a resolver that does not read one itself.

PEP 621 `dependencies` and `optional-dependencies`, PEP 735 `[dependency-groups]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azpack.app.config import read_toml
from azpack.deps.requirements import Requirement, Requirements
from azpack.errors import UsageError
from azpack.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.requirements import Requirement as Parsed


def listed_dependencies(requirements: Requirements, root: Path) -> tuple[Requirement, ...]:
    """What a pyproject.toml lists, with its chosen extras and groups, as lines of requirements.

    Raises:
        UsageError: a table says what can't be understood.
    """
    name = requirements.files[0]
    content = read_toml(root / name)
    found = list(of_project(content["project"], requirements.extras, name))
    found += _of_groups(content.get("dependency-groups", {}), requirements.groups, name)
    return tuple(found)


def uv_sources(requirements: Requirements, root: Path) -> frozenset[str]:
    """The names whose source `[tool.uv.sources]` says, which uv alone can honour."""
    from packaging.utils import canonicalize_name

    content: Any = read_toml(root / requirements.files[0])
    for key in ("tool", "uv", "sources"):
        content = content.get(key, {}) if isinstance(content, dict) else {}
    return frozenset(map(canonicalize_name, content if isinstance(content, dict) else ()))


def of_project(
    project: Mapping[str, Any], extras: Sequence[str], name: str
) -> Iterator[Requirement]:
    """The lines of a `[project]` table, with its chosen extras.

    Raises:
        UsageError: one is no requirement.
    """
    from packaging.utils import canonicalize_name

    own = canonicalize_name(str(project.get("name", "")))
    optional = project.get("optional-dependencies", {})
    optional = {canonicalize_name(extra): texts for extra, texts in optional.items()}
    places = {"": f"{name} [project] dependencies"}
    places |= {extra: f"{name} [project.optional-dependencies] {extra}" for extra in optional}
    tables = {"": project.get("dependencies", []), **optional}
    awaiting = [("", ""), *((canonicalize_name(extra), "") for extra in extras)]
    seen = set(awaiting)
    while awaiting:
        table, marker = awaiting.pop(0)
        for text in tables.get(table, []):
            parsed = parse(text, places[table])
            if canonicalize_name(parsed.name) != own:
                yield Requirement(text=_with_marker(parsed, marker), place=places[table])
                continue
            # The project asks for extras of its own.
            both = _both(marker, str(parsed.marker or ""))
            more = [(canonicalize_name(extra), both) for extra in sorted(parsed.extras)]
            awaiting += [entry for entry in more if entry not in seen]
            seen.update(more)


def parse(text: object, place: str) -> Parsed:
    """A requirement in the form of PEP 508, which stands at `place`.

    Raises:
        UsageError: it is none.
    """
    from packaging.requirements import InvalidRequirement
    from packaging.requirements import Requirement as Parsed

    try:
        return Parsed(str(text))
    except InvalidRequirement as error:
        raise UsageError(
            "bad-requirement",
            f"{place}: {str(error).splitlines()[0]}: {redact(str(text))}",
            hint="write it as NAME==VERSION, with a marker behind a semicolon if need be",
        ) from None


def _with_marker(parsed: Parsed, marker: str) -> str:
    from packaging.markers import Marker

    if marker:
        parsed.marker = Marker(_both(marker, str(parsed.marker or "")))
    return str(parsed)


def _both(first: str, second: str) -> str:
    return f"({first}) and ({second})" if first and second else first or second


def _of_groups(
    tables: Mapping[str, Any], groups: Sequence[str], name: str
) -> Iterator[Requirement]:
    from packaging.dependency_groups import resolve_dependency_groups
    from packaging.errors import ExceptionGroup

    place = f"{name} [dependency-groups]"
    try:
        texts = resolve_dependency_groups(tables, *groups) if groups else ()
    except ExceptionGroup as error:
        faults = "; ".join(str(fault).splitlines()[0] for fault in error.exceptions)
        raise UsageError("bad-groups", f"{place}: {faults}") from None
    for text in texts:
        yield Requirement(text=text, place=place)
