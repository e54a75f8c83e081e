"""Folders outside of a project that are packed with it: `include` in `[tool.azpack]`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azpack.app.ignore import Rule
from azpack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["SharedFolder", "find_shared_folders", "locate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFolder:
    """A folder that is packed as `name` at the root; `place` is its real path.

    `rule` is the setting as written, which keeps the folder whatever `.funcignore` says of its
    name.
    """

    name: str
    place: str
    rule: Rule


def find_shared_folders(root: Path, includes: Sequence[str]) -> tuple[SharedFolder, ...]:
    """The folders that `includes` name, relative to the project's root.

    Raises:
        UsageError: one is no folder, lies within the project or holds it, or its name is taken.
    """
    found: dict[str, SharedFolder] = {}
    for text in includes:
        place = os.path.realpath(os.path.join(root, os.path.expanduser(text)))
        folder = SharedFolder(
            name=os.path.basename(os.path.normpath(os.path.join(root, text))),
            place=place,
            rule=Rule(pattern=text, source="include", negated=True),
        )
        for fault, hint in _faults(folder, os.path.realpath(root)):
            raise UsageError("bad-include", f"include: {text} {fault}", hint=hint)
        if os.path.lexists(root / folder.name):
            raise _taken(text, f"the project has {folder.name} of its own")
        if folder.name in found:
            raise _taken(text, f"{found[folder.name].rule.pattern} is packed as {folder.name} too")
        found[folder.name] = folder
    return tuple(found.values())


def locate(root: str | Path, shared: Mapping[str, str], path: str) -> str:
    """Where a path of the package is on disk; `shared` has the real folders by their names."""
    if shared:
        name, _, rest = path.partition("/")
        if place := shared.get(name):
            return f"{place}/{rest}"
    return f"{root}/{path}"


def _faults(folder: SharedFolder, root: str) -> Iterator[tuple[str, str]]:
    if not os.path.isdir(folder.place):
        what = "is not a folder" if os.path.exists(folder.place) else "does not exist"
        yield what, "include names folders, relative to the one that holds host.json"
    elif f"{folder.place}/".startswith(f"{root}/"):
        yield "is in the project", "it is packed already, unless .funcignore leaves it out"
    elif f"{root}/".startswith(f"{folder.place.rstrip('/')}/"):
        yield "holds the project", "name the folder beside the project that it shares"


def _taken(text: str, reason: str) -> UsageError:
    return UsageError(
        "include-collides",
        f"include: {text} can't be packed under its name: {reason}",
        hint="rename one of them: a folder is packed under the name that it has",
    )
