"""Folders outside of the project that are packed with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azpack.app.collect import collect_files
from azpack.app.tree_folder import FolderTree
from azpack.errors import FileError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app, and beside it two folders with modules that it shares with others."""
    root = tmp_path / "apps" / "app"
    write(root, "host.json", "function_app.py")
    write(tmp_path / "shared_lib", "__init__.py", "deep/inner.py", "notes.md", "__pycache__/x.pyc")
    write(tmp_path / "other", "__init__.py")
    return root


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_a_folder_stands_at_the_root_under_its_name(app: Path, tmp_path: Path) -> None:
    files = collect_files(app, includes=["../../shared_lib", "../../other/"])
    assert files.included == (
        "function_app.py", "host.json", "other/__init__.py",
        "shared_lib/__init__.py", "shared_lib/deep/inner.py", "shared_lib/notes.md",
    )  # fmt: skip
    assert [it.path for it in files.ignored] == ["shared_lib/__pycache__/"]
    assert files.on_disk("shared_lib/deep/inner.py") == f"{tmp_path}/shared_lib/deep/inner.py"
    assert files.on_disk("host.json") == f"{app}/host.json"
    assert files.kept_by["shared_lib/notes.md"].source == "include"
    assert "host.json" not in files.kept_by
    assert FolderTree(files).read("shared_lib/deep/inner.py") == b"deep/inner.py"


def test_the_rules_of_the_project_apply(app: Path) -> None:
    (app / ".funcignore").write_text("*.md\nshared_lib/deep/\n")
    files = collect_files(app, includes=["../../shared_lib"])
    assert [path for path in files.included if "/" in path] == ["shared_lib/__init__.py"]
    tree = FolderTree(files)
    assert tree.left_out("shared_lib/deep/inner.py") == ".funcignore:2"
    assert tree.left_out("shared_lib/notes.md") == ".funcignore:1"
    assert tree.left_out("shared_lib/none.md") is None


def test_a_list_of_what_to_keep_keeps_the_folder(app: Path) -> None:
    (app / ".funcignore").write_text("*\n!*.py\n!host.json\n")
    files = collect_files(app, includes=["../../shared_lib"])
    assert [path for path in files.included if "/" in path] == ["shared_lib/__init__.py"]


def test_links_may_lead_from_the_project_to_the_folder(app: Path, tmp_path: Path) -> None:
    (app / "one.py").symlink_to("../../shared_lib/deep/inner.py")
    (tmp_path / "shared_lib" / "again").symlink_to("deep")
    files = collect_files(app, includes=["../../shared_lib"])
    assert "one.py" in files.included
    assert "shared_lib/again/inner.py" in files.included
    (tmp_path / "shared_lib" / "out").symlink_to(tmp_path / "other")
    with pytest.raises(FileError, match=r"shared_lib/out is a link to .*, outside of the project"):
        collect_files(app, includes=["../../shared_lib"])


@pytest.mark.parametrize(
    ("includes", "message"),
    [
        (["../../missing"], "include: ../../missing does not exist"),
        (["../../other/__init__.py"], "include: ../../other/__init__.py is not a folder"),
        (["sub"], "include: sub is in the project"),
        (["."], "include: . is in the project"),
        (["../.."], "include: ../.. holds the project"),
        (["/"], "include: / holds the project"),
        (
            ["../../other", "../other"],
            "include: ../other can't be packed under its name: ../../other is packed as other too",
        ),
        (
            ["../../sub"],
            "include: ../../sub can't be packed under its name: the project has sub of its own",
        ),
    ],
)
def test_folders_that_can_not_be_included(
    app: Path, tmp_path: Path, includes: list[str], message: str
) -> None:
    (app / "sub").mkdir()
    (tmp_path / "apps" / "other").mkdir()
    (tmp_path / "sub").mkdir()
    with pytest.raises(UsageError) as caught:
        collect_files(app, includes=includes)
    assert caught.value.message == message
    assert caught.value.hint
