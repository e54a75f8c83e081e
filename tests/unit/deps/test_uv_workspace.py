"""Which uv.lock answers for a project that is a member of a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azpack.deps.requirements import find_requirements
from azpack.deps.uv_workspace import find_workspace_lock, locked_project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def app(tmp_path: Path) -> Path:
    app = tmp_path / "apps" / "app"
    app.mkdir(parents=True)
    (app / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "0"\n')
    (tmp_path / "uv.lock").write_text("version = 1\n")
    return app


@pytest.mark.parametrize(
    ("workspace", "is_member"),
    [
        ('members = ["apps/*"]', True),
        ('members = ["./apps/app/"]', True),
        ('members = ["apps/**"]', True),
        ('members = ["libs/*"]', False),
        ("members = []", False),
        ("", False),
        ('members = ["apps/*"]\nexclude = ["apps/app"]', False),
        ('members = ["apps/*"]\nexclude = ["apps/other"]', True),
        ("members = 3", False),
        ('members = ["", 1]', False),
    ],
)
def test_the_lock_of_a_workspace(
    app: Path, tmp_path: Path, workspace: str, is_member: bool
) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.uv.workspace]\n{workspace}\n")
    lock = tmp_path / "uv.lock"
    assert find_workspace_lock(app) == (lock if is_member else None)
    assert locked_project(app, lock) == (app if is_member else tmp_path)
    found = find_requirements(app)
    assert found is not None
    assert found.files == (("../../uv.lock",) if is_member else ("pyproject.toml",))


def test_the_nearest_workspace_alone_counts(app: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["apps/*"]\n')
    (app.parent / "pyproject.toml").write_text("[tool.uv.workspace]\nmembers = []\n")
    assert find_workspace_lock(app) is None
    (app.parent / "pyproject.toml").write_text("[project]\n")
    assert find_workspace_lock(app) == tmp_path / "uv.lock"
    (tmp_path / "uv.lock").unlink()
    assert find_workspace_lock(app) is None


def test_a_project_without_pyproject_is_no_member(app: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["apps/*"]\n')
    (app / "pyproject.toml").unlink()
    assert find_workspace_lock(app) is None
    assert find_requirements(app) is None


def test_what_the_project_lists_is_a_part_of_the_digest(app: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["apps/*"]\n')
    before = find_requirements(app)
    text = '[project]\nname = "app"\nversion = "0"\ndependencies = ["six"]\n'
    (app / "pyproject.toml").write_text(text)
    after = find_requirements(app)
    assert before is not None
    assert after is not None
    assert before.digest != after.digest
