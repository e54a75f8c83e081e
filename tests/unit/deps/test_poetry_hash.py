from __future__ import annotations

from pathlib import Path

import pytest

from azpack.deps.poetry_hash import is_stale
from azpack.deps.poetry_lock import PoetryLock
from azpack.deps.poetry_project import PoetryProject

MADE_BY_POETRY = Path(__file__).parent / "data"


# What Poetry 1.1.15, 1.8.5, 2.2.1 and 2.5.1 wrote for these files; 2.3 began to read all groups.
@pytest.mark.parametrize(
    ("version", "content_hash"),
    [
        ("1.1", "a5fa706829135ce70fbdd05165142b80a17517552945b5793891c8ddb6635c35"),
        ("1.8", "d39712951b6297920af9bc5abd5f52275023feeae6a1c1d0a0132302161b4213"),
        ("2.5", "3a23af3234f59a1ebcadc685f9eadac69616ec4e2f09341f2c8a7bcbf7bda023"),
        ("2.5", "b9c4bccd9f7ed59b4937d6b2387fcdbcd60816a0f494e88d45629a067f1738e3"),
    ],
)
def test_content_hashes_of_poetry(version: str, content_hash: str) -> None:
    path = MADE_BY_POETRY / f"poetry-{version}" / "pyproject.toml"
    project = PoetryProject.read(path, "pyproject.toml")
    assert not is_stale(project, lock(content_hash))
    assert is_stale(project, lock("0" * 64))


@pytest.mark.parametrize(
    ("made_by", "stale"), [(None, True), ((1, 8), True), ((2, 5), True), ((2, 6), False)]
)
def test_a_newer_poetry_may_reckon_otherwise(made_by: tuple[int, int] | None, stale: bool) -> None:
    project = PoetryProject(name="pyproject.toml", content={})
    assert is_stale(project, lock("0" * 64, made_by)) is stale


def test_a_lock_without_a_hash(tmp_path: Path) -> None:
    project = PoetryProject.read(tmp_path / "pyproject.toml", "pyproject.toml")
    assert not is_stale(project, lock(""))


def lock(content_hash: str, made_by: tuple[int, int] | None = None) -> PoetryLock:
    return PoetryLock(packages=(), content_hash=content_hash, made_by=made_by)
