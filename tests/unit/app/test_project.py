from __future__ import annotations

from pathlib import Path

import pytest

from azpack.app import project as module
from azpack.app.project import find_project
from azpack.errors import UsageError


def app(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "host.json").touch()
    return folder


def test_the_folder_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = app(tmp_path / "my app")
    monkeypatch.chdir(tmp_path)
    for path in (root, Path("my app"), Path("./my app/../my app/")):
        project = find_project(path)
        assert (project.root, project.name) == (root, "my-app")


def test_the_working_folder_or_its_nearest_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer, inner = app(tmp_path / "outer"), app(tmp_path / "outer/apps/inner")
    for folder, root in (
        (outer, outer),
        (outer / "apps", outer),
        (inner, inner),
        (inner / "x", inner),
    ):
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        assert find_project(None).root == root
    # A folder that is named is that one alone.
    with pytest.raises(UsageError):
        find_project(outer / "apps")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("app", "app"),
        ("données", "données"),
        ("a b/c(1)", "c-1"),
        ("...", "app"),
        ("-a.b_", "a.b_"),
    ],
)
def test_the_name_fits_a_file(tmp_path: Path, folder: str, name: str) -> None:
    assert find_project(app(tmp_path / folder)).name == name


def test_the_name_is_that_of_the_link(tmp_path: Path) -> None:
    app(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    project = find_project(tmp_path / "link")
    assert (project.root, project.name) == (tmp_path / "link", "link")


def test_folders_that_cannot_be_projects(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, message in (
        (tmp_path / "none", "does not exist"),
        (tmp_path / "file", "not a folder"),
    ):
        with pytest.raises(UsageError, match=message) as caught:
            find_project(path)
        assert (caught.value.code, caught.value.exit_code) == ("no-such-folder", 2)
        assert "host.json" in caught.value.hint


def test_a_host_json_in_a_sub_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app(tmp_path / "repo/src/api")
    for ignored in (".hidden", "node_modules/x", "a/b/c/too-deep"):
        app(tmp_path / "repo" / ignored)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        find_project(Path("repo"))
    assert caught.value.code == "no-host-json"
    assert caught.value.context["found"] == ["src/api"]
    assert str(tmp_path / "repo") in caught.value.message
    # As it can be named from here.
    assert "repo/src/api" in caught.value.hint
    # Whatever there is above the tests' own folder.
    has = module._has_host_json
    monkeypatch.setattr(
        module, "_has_host_json", lambda path: path.is_relative_to(tmp_path) and has(path)
    )
    monkeypatch.chdir(tmp_path / "repo/src")
    with pytest.raises(UsageError) as caught:
        find_project(None)
    assert " api" in caught.value.hint


def test_a_host_json_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "host.json").mkdir()
    with pytest.raises(UsageError, match="not a file"):
        find_project(tmp_path)
