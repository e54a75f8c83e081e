"""The function apps below a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azpack.errors import UsageError
from azpack.repository.apps import find_apps, names_of

if TYPE_CHECKING:
    from pathlib import Path


def make_apps(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).mkdir(parents=True, exist_ok=True)
        (folder / path / "host.json").write_text("{}")


def test_apps_at_any_depth(tmp_path: Path) -> None:
    make_apps(tmp_path, "b", "a/deep/er", "b/inner", ".git/x", "node_modules/y", "env/lib/z")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    found = find_apps(tmp_path)
    assert [project.root for project in found] == [tmp_path / "a/deep/er", tmp_path / "b"]


def test_the_folder_itself_is_an_app(tmp_path: Path) -> None:
    make_apps(tmp_path, ".", "inner")
    assert [project.root for project in find_apps(tmp_path)] == [tmp_path]


def test_names_are_told_apart_by_paths(tmp_path: Path) -> None:
    make_apps(tmp_path, "north/orders", "south/orders", "south/stock")
    names = names_of(find_apps(tmp_path), tmp_path)
    assert names == ("north-orders", "south-orders", "stock")


def test_no_app(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing below it holds a host\.json"):
        find_apps(tmp_path)
    with pytest.raises(UsageError, match="is not a folder"):
        find_apps(tmp_path / "missing")
