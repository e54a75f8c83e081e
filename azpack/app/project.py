"""The project: the folder that holds host.json, and its name."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from azpack.errors import UsageError

_SEARCHED_DEPTH = 3
_NOT_SEARCHED = {"node_modules", "__pycache__", "site-packages", "build", "dist"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A function app on disk: `root` is absolute, `name` fits a file name."""

    root: Path
    name: str


def find_project(path: Path | None) -> Project:
    """The project at `path`; without one, at the working folder or its nearest parent.

    Raises:
        UsageError: there is no host.json there; the message names those in sub-folders.
    """
    if path is not None:
        folder = path.absolute()
        if not folder.is_dir():
            what = "is not a folder" if folder.exists() else "does not exist"
            raise UsageError(
                "no-such-folder",
                f"{path} {what}",
                hint="name the folder that holds the app's host.json",
                context={"path": str(folder)},
            )
        if not (folder / "host.json").is_file():
            raise _no_host_json(folder, named=path)
    else:
        folder = next(
            (place for place in (Path.cwd(), *Path.cwd().parents) if _has_host_json(place)),
            Path(),
        )
        if folder == Path():
            raise _no_host_json(Path.cwd(), named=Path())
    # Through "." and "..", but with the name of the link where the folder is one.
    folder = Path(os.path.normpath(folder))
    name = re.sub(r"[^\w.-]+", "-", folder.name).strip("-.") or "app"
    return Project(root=folder, name=name)


def _has_host_json(folder: Path) -> bool:
    return (folder / "host.json").is_file()


def _no_host_json(folder: Path, *, named: Path) -> UsageError:
    found = _search(folder)
    hint = "name the folder that holds the app's host.json"
    if found:
        nearest = os.path.normpath(os.path.join(named, found[0]))
        hint = f"there is one in {', '.join(found[:5])}: name that folder, {nearest}"
    what = (
        "its host.json is not a file"
        if (folder / "host.json").exists()
        else "it holds no host.json"
    )
    return UsageError(
        "no-host-json",
        f"{folder} is no function app: {what}",
        hint=hint,
        context={"folder": str(folder), "found": found},
    )


def _search(folder: Path) -> list[str]:
    """Folders not far below that hold a host.json."""
    found = []
    base = str(folder)
    for place, folders, files in os.walk(folder):
        if "host.json" in files:
            found.append(os.path.relpath(place, base))
        depth = len(os.path.relpath(place, base).split(os.sep)) - (place == base)
        folders[:] = sorted(
            name
            for name in folders
            if depth < _SEARCHED_DEPTH and not name.startswith(".") and name not in _NOT_SEARCHED
        )
    return found
