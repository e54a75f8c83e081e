"""Whether a poetry.lock was made from its pyproject.toml as that is now, by Poetry's content hash.

It is of a few tables; which ones changed with Poetry 2.0 and 2.3.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from azpack.deps.requirements import table_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azpack.deps.poetry_lock import PoetryLock
    from azpack.deps.poetry_project import PoetryProject

# Of a newer one it is not known what its hash is of.
_NEWEST_POETRY = (2, 5)
_OF_POETRY_1 = ("dependencies", "source", "extras", "dev-dependencies")
_OF_PROJECT = ("requires-python", "dependencies", "optional-dependencies")


def is_stale(project: PoetryProject, lock: PoetryLock) -> bool:
    """Whether pyproject.toml has changed since, as far as can be told."""
    if not lock.content_hash or (lock.made_by or (1, 0)) > _NEWEST_POETRY:
        return False
    own = {key: project.project[key] for key in _OF_PROJECT if key in project.project}
    groups = table_in(project.content, "dependency-groups")
    known = {
        _content_hash(project.poetry, {}, {}),
        _content_hash(project.poetry, own, {}),
        _content_hash(project.poetry, own, groups),
    }
    return lock.content_hash not in known


def _content_hash(
    poetry: Mapping[str, Any], project: Mapping[str, Any], groups: Mapping[str, Any]
) -> str:
    has_more = bool(project or groups)
    own = {
        key: poetry.get(key)
        for key in (*_OF_POETRY_1, "group")
        if key in poetry or (key in _OF_POETRY_1 and not has_more)
    }
    content: dict[str, Any] = {"tool": {"poetry": own}} if has_more else own
    content |= {"project": project} if project else {}
    content |= {"dependency-groups": groups} if groups else {}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
