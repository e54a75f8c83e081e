"""Which of several files pip takes, of all that its indexes and links list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote

from azpack.deps.index import public
from azpack.deps.pages import version_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from packaging.tags import Tag
    from packaging.version import Version

    from azpack.deps.holdings import Holdings, Pin
    from azpack.deps.pages import ListedFile
    from azpack.target.target import Target

    # What pip compares, the greater the better: a hash that it is given, a wheel, the version, the
    # tag, the build tag. Builds are () or a number and a text.
    _Preference: TypeAlias = tuple[bool, bool, Version, int, tuple[int, str] | tuple[()]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The file that pip takes, and the place that lists it, without credentials.

    `is_pinned` says that it is the one that was resolved, as far as the place tells.
    """

    filename: str
    place: str
    is_pinned: bool


def find_taken(pins: Iterable[Pin], target: Target, holdings: Holdings) -> dict[str, Taken]:
    """Find which file of each pin's version pip takes on the platform.

    pip asks all places alike, and takes the best file: one with a hash that it is given; one that
    is not yanked, unless all are; a wheel (Oryx calls it with --prefer-binary), of the highest
    version that `==` admits, which may have a local part; of the best tag, of the highest build. Of
    equals it takes the last one, and so that of the last extra index: 21.2.4 and 26.3 do.

    Returns:
        By name. A name of which nothing fits is left out, and one of which it does not matter.
    """
    ranks = {tag: -rank for rank, tag in enumerate(target.tags())}
    taken = {}
    for pin in pins:
        if holdings.is_unread(pin.entry.name):
            continue
        files = [
            (file, public(place))
            for file, place in holdings.files(pin.entry.name)
            if _runs_on(file, target)
        ]
        if best := _best(files, pin, ranks):
            taken[pin.entry.name] = best
    return taken


def _best(
    files: Iterable[tuple[ListedFile, str]], pin: Pin, ranks: Mapping[Tag, int]
) -> Taken | None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        wanted = SpecifierSet(f"=={pin.entry.version}")
    except InvalidSpecifier:
        return None
    found = []
    for file, place in files:
        version = version_of(file.filename)
        if version is not None and wanted.contains(version, prereleases=True):
            preference = _preference(file, version, ranks, pin.allowed)
            if preference is not None:
                found.append((preference, file, place))
    if any(preference[0] for preference, _, _ in found):
        found = [it for it in found if it[0][0] or not it[1].hash]
    if not all(file.yanked for _, file, _ in found):
        found = [it for it in found if not it[1].yanked]
    if not found:
        return None
    # Of equals max takes the first.
    _, file, place = max(reversed(found), key=lambda it: it[0])
    return Taken(filename=file.filename, place=place, is_pinned=_is_pinned(file, pin))


def _is_pinned(file: ListedFile, pin: Pin) -> bool:
    if file.hash:
        return pin.is_met_by(file)
    return unquote(file.url) == unquote(public(pin.entry.url))


def _preference(
    file: ListedFile, version: Version, ranks: Mapping[Tag, int], allowed: Collection[str]
) -> _Preference | None:
    """What pip sorts files by (`CandidateEvaluator._sort_key`); None for a wheel that won't run."""
    from packaging.utils import parse_wheel_filename

    is_allowed = file.hash in allowed
    if not file.filename.endswith(".whl"):
        return is_allowed, False, version, 0, ()
    _, _, build, tags = parse_wheel_filename(file.filename)
    fitting = [ranks[tag] for tag in tags if tag in ranks]
    return (is_allowed, True, version, max(fitting), build) if fitting else None


def _runs_on(file: ListedFile, target: Target) -> bool:
    from packaging.specifiers import SpecifierSet

    try:
        return SpecifierSet(file.requires_python).contains(target.full_version, prereleases=True)
    except ValueError:  # to the newest pip it is as if it were not there
        return True
