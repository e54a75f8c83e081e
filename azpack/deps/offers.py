"""Which wheels an index offers of a version: asked only to explain why none of them fits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azpack.deps.pages import find_files, version_of
from azpack.target.target import other_targets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.tags import Tag
    from packaging.version import Version

    from azpack.deps.index import IndexSettings
    from azpack.target.target import Target

_OTHER_SYSTEMS = {"Windows": "win32", "macOS": "darwin"}
_GLIBC = re.compile(r"manylinux_(\d+)_(\d+)_x86_64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What wheels an index has of a version, and what it has that would fit.

    `wheels` says the first in a few words, unless one of them fits; `marker` is that of other
    systems, where they are for these alone. `version` is the newest one with a wheel for the
    target, empty where there is none; `pythons` those of Azure for which this version has one,
    where it has none for the target.
    """

    wheels: str
    marker: str
    version: str
    pythons: tuple[str, ...]


def find_offers(
    place: str, name: str, version: str, target: Target, indexes: IndexSettings
) -> Offers | None:
    """Ask an index, or one of the links, what wheels it has of a distribution.

    Returns:
        None where it does not say, or lacks the version.
    """
    from packaging.version import InvalidVersion, Version

    filenames = [file.filename for file in find_files(place, name, indexes)]
    wheels = _wheels(filenames)
    try:
        wanted = Version(version) if version else max(wheels, default=None)
    except InvalidVersion:
        return None
    if wanted is None or wanted not in map(version_of, filenames):
        return None
    tags = wheels.get(wanted, frozenset())
    fitting = frozenset(target.tags())
    versions = [known for known in wheels if wheels[known] & fitting and not known.is_prerelease]
    return Offers(
        wheels="" if tags & fitting else _describe(tags, target),
        marker=_marker({_system(tag.platform) for tag in tags}),
        version=str(max(versions, default="")),
        pythons=() if tags & fitting else _pythons(tags, target),
    )


def _pythons(tags: frozenset[Tag], target: Target) -> tuple[str, ...]:
    return tuple(other.python for other in other_targets(target) if tags & set(other.tags()))


def _wheels(filenames: Iterable[str]) -> dict[Version, frozenset[Tag]]:
    """The tags of all wheels, by version."""
    from packaging.utils import parse_wheel_filename

    wheels: dict[Version, frozenset[Tag]] = {}
    for filename in filenames:
        try:
            _, version, _, tags = parse_wheel_filename(filename)
        except ValueError:  # none, or with a number of thousands of digits
            continue
        wheels[version] = wheels.get(version, frozenset()) | tags
    return wheels


def _marker(systems: set[str]) -> str:
    if not systems or not systems <= _OTHER_SYSTEMS.keys():
        return ""
    if len(systems) > 1:
        return "sys_platform != 'linux'"
    return f"sys_platform == '{_OTHER_SYSTEMS[systems.pop()]}'"


def _describe(tags: frozenset[Tag], target: Target) -> str:
    if not tags:
        return "no wheel is published"
    fitting = {(tag.interpreter, tag.abi) for tag in target.tags()}
    needed = sorted(
        (int(match[1]), int(match[2]))
        for tag in tags
        if (tag.interpreter, tag.abi) in fitting and (match := _GLIBC.fullmatch(tag.platform))
    )
    if needed and needed[0] > tuple(map(int, target.glibc.split("."))):
        oldest = "{}.{}".format(*needed[0])
        return f"its wheels for Linux need glibc {oldest}, the target has {target.glibc}"
    interpreters = ", ".join(sorted({tag.interpreter for tag in tags}, key=_natural))
    systems = ", ".join(sorted({_system(tag.platform) for tag in tags}))
    return f"its wheels are for {interpreters} on {systems}"


def _system(platform: str) -> str:
    for prefix, system in (
        ("win", "Windows"),
        ("macosx", "macOS"),
        ("musllinux", "musl Linux"),
        ("manylinux", "Linux"),
        ("linux", "Linux"),
    ):
        if platform.startswith(prefix):
            machine = platform.rpartition("_")[2] if "x86_64" not in platform else ""
            return f"{system} {machine}" if system == "Linux" and machine else system
    return platform


def _natural(text: str) -> list[tuple[int, str]]:
    parts = re.findall(r"\d+|\D+", text)
    return [(int(part) if part.isdecimal() else -1, part) for part in parts]
