"""uv's workspaces: several projects with one uv.lock (docs.astral.sh/uv, "Using workspaces")."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azpack.app.config import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Workspace", "find_workspace", "find_workspace_lock", "locked_project"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A workspace: the folder of its pyproject.toml, and the patterns of its members there."""

    root: Path
    members: tuple[str, ...]
    excluded: tuple[str, ...]

    def folders(self) -> Iterator[Path]:
        """The members' folders."""
        left_out = set(self._matching(self.excluded))
        yield from (folder for folder in self._matching(self.members) if folder not in left_out)

    def named(self, name: str) -> Iterator[Path]:
        """The folder of the member that is the distribution of this normalized name."""
        from packaging.utils import canonicalize_name

        for folder in self.folders():
            project = read_toml(folder / "pyproject.toml").get("project")
            if isinstance(project, dict) and canonicalize_name(str(project.get("name"))) == name:
                yield folder

    def has_member(self, folder: Path) -> bool:
        """Whether the project in a folder is one of the members."""
        return any(os.path.samefile(member, folder) for member in self.folders())

    def _matching(self, patterns: tuple[str, ...]) -> Iterator[Path]:
        for pattern in patterns:
            found = self.root.glob(os.path.normpath(pattern))
            yield from (folder for folder in found if folder.is_dir())


def find_workspace(root: Path) -> Workspace | None:
    """The workspace that the project at `root` is at the top of or a member of, if it is of one.

    Raises:
        UsageError: a pyproject.toml above is not valid.
    """
    if not (root / "pyproject.toml").is_file():
        return None
    for folder in (root, *root.parents):
        workspace = _read_workspace(folder)
        if workspace is not None:  # the nearest one alone counts
            is_of_it = folder == root or workspace.has_member(root)
            return workspace if is_of_it else None
    return None


def find_workspace_lock(root: Path) -> Path | None:
    """The uv.lock of the workspace that the project at `root` is of, if it is of one."""
    workspace = find_workspace(root)
    lock = workspace.root / "uv.lock" if workspace is not None else None
    return lock if lock is not None and lock.is_file() else None


def locked_project(root: Path, lock: Path) -> Path:
    """The folder whose dependencies a uv.lock is read for: the project itself, or the lock's."""
    return root if find_workspace_lock(root) == lock else lock.parent


def _read_workspace(folder: Path) -> Workspace | None:
    table: Any = read_toml(folder / "pyproject.toml")
    for name in ("tool", "uv", "workspace"):
        table = table.get(name) if isinstance(table, dict) else None
    if not isinstance(table, dict):
        return None
    return Workspace(
        root=folder, members=_patterns(table, "members"), excluded=_patterns(table, "exclude")
    )


def _patterns(table: dict[str, Any], key: str) -> tuple[str, ...]:
    listed = table.get(key)
    if not isinstance(listed, list):
        return ()
    return tuple(pattern for pattern in listed if isinstance(pattern, str) and pattern)
