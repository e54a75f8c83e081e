"""uv's workspaces: several projects with one uv.lock (docs.astral.sh/uv, "Using workspaces")."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from azpack.app.config import read_toml

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["find_workspace_lock", "locked_project"]


def find_workspace_lock(root: Path) -> Path | None:
    """The uv.lock of the workspace that the project at `root` is a member of, if it is of one.

    Raises:
        UsageError: a pyproject.toml above is not valid.
    """
    if not (root / "pyproject.toml").is_file():
        return None
    for folder in root.parents:
        workspace = _workspace(folder)
        if workspace is not None:  # the nearest one alone counts
            lock = folder / "uv.lock"
            return lock if lock.is_file() and _has_member(workspace, folder, root) else None
    return None


def locked_project(root: Path, lock: Path) -> Path:
    """The folder whose dependencies a uv.lock is read for: the project itself, or the lock's."""
    return root if find_workspace_lock(root) == lock else lock.parent


def _workspace(folder: Path) -> dict[str, Any] | None:
    table: Any = read_toml(folder / "pyproject.toml")
    for name in ("tool", "uv", "workspace"):
        table = table.get(name) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else None


def _has_member(workspace: dict[str, Any], folder: Path, root: Path) -> bool:
    def matches(key: str) -> bool:
        patterns = workspace.get(key)
        return isinstance(patterns, list) and any(
            os.path.samefile(found, root)
            for pattern in patterns
            if isinstance(pattern, str) and pattern
            for found in folder.glob(os.path.normpath(pattern))
            if found.is_dir()
        )

    return matches("members") and not matches("exclude")
