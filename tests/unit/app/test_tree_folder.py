from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azpack.app.collect import collect_files
from azpack.app.tree_folder import FolderTree
from azpack.errors import FileError

if TYPE_CHECKING:
    from pathlib import Path


def make(root: Path) -> FolderTree:
    for path, text in {
        "host.json": "{}",
        "a/b.py": "x = 1\n",
        "a/run.sh": "#!/bin/sh\n",
        "logs/today.log": "",
        "note.txt": "",
        ".funcignore": "logs/\nnote.txt\n",
    }.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text)
    (root / "a/run.sh").chmod(0o755)
    return FolderTree(collect_files(root))


def test_files(tmp_path: Path) -> None:
    tree = make(tmp_path)
    assert tree.paths() == ("a/b.py", "a/run.sh", "host.json")
    assert tree.size("a/b.py") == 6
    assert tree.mode("a/run.sh") == 0o755
    assert tree.read("a/b.py") == b"x = 1\n"
    assert tree.read("a/b.py", limit=2) == b"x "


def test_other_files(tmp_path: Path) -> None:
    tree = make(tmp_path)
    for path in ("note.txt", "a", "../x", "missing"):
        for ask in (tree.size, tree.mode, tree.read):
            with pytest.raises(KeyError):
                ask(path)


def test_what_left_a_file_out(tmp_path: Path) -> None:
    tree = make(tmp_path)
    assert tree.left_out("logs/today.log") == ".funcignore:1"
    assert tree.left_out("note.txt") == ".funcignore:2"
    assert tree.left_out(".funcignore") == "azpack"
    for path in ("logs/other.log", "a/b.py", "missing", "logs"):
        assert tree.left_out(path) is None


def test_file_that_vanished(tmp_path: Path) -> None:
    tree = make(tmp_path)
    (tmp_path / "a/b.py").unlink()
    for ask in (tree.size, tree.mode, tree.read):
        with pytest.raises(FileError, match=r"a/b\.py can't be read"):
            ask("a/b.py")
