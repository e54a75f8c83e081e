"""A Poetry project with its poetry.lock: what it asks for, and the versions that it allows.

What the project lists itself are the requirements; what the lock has of all that they can lead to
are constraints with hashes. So the resolver finds out what the target needs, and has no choice.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice, product
from typing import TYPE_CHECKING, Any

from azpack.deps.lock import normalized
from azpack.deps.poetry_hash import is_stale
from azpack.deps.poetry_lock import LockedPackage, PoetryLock, read_poetry_lock
from azpack.deps.poetry_project import PoetryProject, is_poetry_project, listed_dependencies
from azpack.deps.poetry_syntax import python_marker
from azpack.deps.requirements import (
    Requirement,
    Requirements,
    digest_of,
    locate,
    missing_file,
    relative_name,
)
from azpack.deps.resolver import allowed_hashes, name_in
from azpack.errors import ResolutionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from packaging.requirements import Requirement as Parsed
    from packaging.specifiers import SpecifierSet

    from azpack.deps.lock import Lock, LockedDistribution
    from azpack.target.target import Target

LOCK_AGAIN = "renew it with 'poetry lock'"

_MAIN = "main"
_INDEX = "legacy"  # as Poetry calls one that is not PyPI
# What Poetry leaves out of its lock before 1.2, whoever needs it.
_LEFT_OUT = ("distribute", "pip", "setuptools", "wheel")
# So often a resolver is asked, where the lock names several versions for a target.
_MOST_TRIES = 12


def read_requirements(
    root: Path, name: str, extras: Sequence[str], groups: Sequence[str]
) -> Requirements:
    """What a Poetry project asks for, by the poetry.lock called `name` and its pyproject.toml.

    Raises:
        UsageError: a file is missing, or pyproject.toml says what can't be understood.
        ResolutionError: the lock can't be read, or is of a Poetry that is not known yet.
    """
    path = locate(root, name)
    beside = path.with_name("pyproject.toml")
    name, name_beside = relative_name(root, path), relative_name(root, beside)
    for file, file_name in ((path, name), (beside, name_beside)):
        if not file.exists():
            raise missing_file(file_name, "")
    project = PoetryProject.read(beside, name_beside)
    if not is_poetry_project(project.content) and "project" not in project.content:
        raise UsageError(
            "no-poetry-project",
            f"{name_beside} is not that of a Poetry project, which {name} belongs to",
            hint="name another file with -r, or remove poetry.lock",
        )
    lock = read_poetry_lock(path, name)
    listed = listed_dependencies(project, extras, groups)
    asking = (_MAIN, *map(normalized, groups))
    packages = _reached(lock, [name_in(entry.text) for entry in listed], asking)
    pins = _pins(packages, asking, extras)
    return Requirements(
        kind="poetry.lock",
        files=(name,),
        digest=digest_of([[entry.text for entry in listed], [pin.said() for pin in pins]]),
        requirements=listed,
        constraints=tuple(pin.requirement(path.parent, name) for pin in pins),
        extra_index_urls=_indexes(packages),
        extras=tuple(extras),
        groups=tuple(groups),
        stale=is_stale(project, lock),
    )


def choices(requirements: Requirements, target: Target) -> Iterator[Requirements]:
    """The same requirements with one constraint for each name, the newest versions first.

    There is more than one choice where the lock names several versions for the target: before
    Poetry 2 it does not say where each of them is for, and Poetry itself tries them in this order.
    """
    from packaging.requirements import Requirement as Parsed

    environment: dict[str, Any] = dict(target.marker_environment())

    def by_name(entries: Sequence[Requirement]) -> dict[str, list[tuple[Requirement, Parsed]]]:
        found: dict[str, list[tuple[Requirement, Parsed]]] = {}
        for entry in entries:
            parsed = Parsed(entry.text)
            if parsed.marker is None or parsed.marker.evaluate(environment):
                found.setdefault(normalized(parsed.name), []).append((entry, parsed))
        return found

    asked = by_name(requirements.requirements)
    candidates = []
    for name, pins in by_name(requirements.constraints).items():
        limits = [parsed.specifier for _, parsed in asked.get(name, ())]
        fitting = [pin for pin, parsed in pins if all(_admits(it, parsed) for it in limits)]
        candidates.append(fitting or [pin for pin, _ in pins])
    for chosen in islice(product(*candidates), _MOST_TRIES):
        yield replace(requirements, constraints=chosen)


def check_answer(requirements: Requirements, lock: Lock) -> None:
    """Refuse a resolver's answer that has what poetry.lock does not.

    Raises:
        ResolutionError: a distribution is not in it for the target, or without a hash.
    """
    from packaging.requirements import Requirement as Parsed

    pinned = {name_in(entry.text): Parsed(entry.text) for entry in requirements.constraints}
    hashed = allowed_hashes(requirements)
    name = requirements.files[0]
    lacking = [it for it in lock.distributions if not _is_pinned(it, pinned.get(it.name))]
    if lacking:
        left_out = any(entry.name in _LEFT_OUT for entry in lacking)
        raise ResolutionError(
            "lock-does-not-fit",
            f"{name} does not fit its pyproject.toml: it lacks {_titles(lacking)}, needed for "
            f"Python {lock.target['python']}",
            hint=f"{LOCK_AGAIN}, by Poetry 1.2 or newer" if left_out else LOCK_AGAIN,
            context={"missing": [entry.name for entry in lacking]},
        )
    if bare := [it for it in lock.distributions if it.is_from_index and it.name not in hashed]:
        raise ResolutionError(
            "hash-missing",
            f"{name} has no hash for {_titles(bare)}",
            hint=LOCK_AGAIN,
            context={"missing": [entry.name for entry in bare]},
        )


def _titles(entries: Sequence[LockedDistribution]) -> str:
    return ", ".join(f"{entry.name} {entry.version}".rstrip() for entry in entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pin:
    """A package of the lock, and the marker for where it is to be that version."""

    package: LockedPackage
    marker: str

    def requirement(self, folder: Path, place: str) -> Requirement:
        """The constraint that allows this version alone; relative paths start at `folder`."""
        package = self.package
        text = f"{package.name}=={package.version}"
        if package.source is not None and package.source.kind != _INDEX:
            text = f"{package.name} @ {package.source.requirement_url(folder)}"
        if self.marker:
            text += f" ; {self.marker}"
        return Requirement(text=text, place=place, hashes=package.hashes)

    def said(self) -> list[object]:
        """All that a digest has to be of, which is nothing of where the project stands."""
        package = self.package
        source = asdict(package.source) if package.source is not None else {}
        return [package.name, package.version, self.marker, source, list(package.hashes)]


def _pins(
    packages: Sequence[LockedPackage], groups: Collection[str], extras: Collection[str]
) -> list[_Pin]:
    several = {name for name, count in Counter(it.name for it in packages).items() if count > 1}
    pins = []
    for package in packages:
        marker = package.marker(groups, extras)
        if package.groups is None and package.name in several:
            with suppress(ValueError):  # then it may be for any Python
                marker = python_marker(package.python)
        pins.append(_Pin(package=package, marker=marker))
    return pins


def _reached(
    lock: PoetryLock, names: Sequence[str], groups: Collection[str]
) -> list[LockedPackage]:
    """What these names lead to under whatever marker, by name, the newest versions first."""
    from packaging.version import Version

    by_name: dict[str, list[LockedPackage]] = {}
    for package in sorted(lock.packages, key=lambda it: Version(it.version), reverse=True):
        if package.is_of(groups):
            by_name.setdefault(package.name, []).append(package)
    reached: set[str] = set()
    awaiting = list(names)
    while awaiting:
        name = awaiting.pop()
        if name not in reached:
            reached.add(name)
            awaiting += [needed for it in by_name.get(name, ()) for needed in it.needs]
    return [package for name in sorted(reached) for package in by_name.get(name, ())]


def _indexes(packages: Sequence[LockedPackage]) -> tuple[str, ...]:
    sources = [it.source for it in packages if it.source is not None]
    return tuple(dict.fromkeys(source.url for source in sources if source.kind == _INDEX))


def _admits(limit: SpecifierSet, pin: Parsed) -> bool:
    return all(limit.contains(it.version, prereleases=True) for it in pin.specifier)


def _is_pinned(entry: LockedDistribution, pin: Parsed | None) -> bool:
    from packaging.version import Version

    if pin is None:
        return False
    if pin.url is not None or not entry.is_from_index:
        return pin.url is not None and not entry.is_from_index
    # As they are: for a specifier 1.0 is any 1.0+local too.
    return Version(entry.version) in {Version(it.version) for it in pin.specifier}
