"""All function apps below a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from azpack.app.project import Project, find_project
from azpack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["find_apps", "names_of"]

_NO_APPS_IN = frozenset({"node_modules", "site-packages", "__pycache__"})


def find_apps(folder: Path) -> tuple[Project, ...]:
    """The projects at and below a folder, sorted by path.

    Hidden folders, virtual environments and what lies within an app are not searched.

    Raises:
        UsageError: there is none, or no such folder.
    """
    if not folder.is_dir():
        raise UsageError("no-such-folder", f"{folder} is not a folder")
    found = []
    for place, folders, files in os.walk(folder):
        if "host.json" in files:
            found.append(find_project(Path(place)))
        if "host.json" in files or "pyvenv.cfg" in files:
            folders.clear()
        folders[:] = [
            name for name in folders if not name.startswith(".") and name not in _NO_APPS_IN
        ]
    if not found:
        raise UsageError(
            "no-apps",
            f"there is no function app in {folder}: nothing below it holds a host.json",
            hint="name the folder that the apps are in",
        )
    return tuple(sorted(found, key=lambda project: project.root))


def names_of(projects: Sequence[Project], folder: Path) -> tuple[str, ...]:
    """A name for each app that no other one has: its folder's, else its path from `folder`."""
    plain = [project.name for project in projects]
    return tuple(
        project.name
        if plain.count(project.name) == 1
        else "-".join(Path(os.path.relpath(project.root, folder)).parts)
        for project in projects
    )
