"""What an app is made from, itself and beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azpack.app.project import find_project
from azpack.options import Options
from azpack.repository.sources import find_sources

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILES = {
    "app/host.json": "{}",
    "libs/one/pyproject.toml": '[project]\nname = "one"\n'
    'dependencies = ["two @ file:../two", "six"]\n',
    "libs/two/setup.py": "",
    "libs/three/pyproject.toml": '[project]\nname = "three"\ndependencies = []\n',
    "wheels/four-1.0-py3-none-any.whl": "",
    "shared/__init__.py": "",
}
ONE = ("libs/one", "libs/two")


def sources(
    folder: Path,
    files: Mapping[str, str],
    include: tuple[str, ...] = (),
    requirements: tuple[str, ...] = (),
) -> set[str]:
    """The sources of the app, but for itself and its lock, relative to the repository."""
    for path, text in {**FILES, **files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    options = Options(include=include, requirements=requirements)
    found = find_sources(find_project(folder / "app"), options)
    names = {path.relative_to(folder).as_posix() for path in found}
    assert "app" in names
    return {name for name in names if name != "app" and not name.startswith("app/")}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-e ../libs/one", ONE),
        ("--editable=../libs/one", ONE),
        ("../libs/one", ONE),
        ("../libs/one[fast] ; python_version > '3'", ONE),
        ("one @ file:../libs/one", ONE),
        ("one[fast] @ ../libs/one", ONE),
        ("-r ../common.txt", ("common.txt", "libs/three")),
        ("-c ../common.txt\nsix", ("common.txt", "libs/three")),
        ("../wheels/four-1.0-py3-none-any.whl", ("wheels/four-1.0-py3-none-any.whl",)),
        ("one @ https://files.example/libs/one", ()),
        ("six\n../missing/one", ()),
    ],
)
def test_a_requirements_file(tmp_path: Path, line: str, expected: tuple[str, ...]) -> None:
    files = {"app/requirements.txt": f"azure-functions\n{line}\n", "common.txt": "./libs/three\n"}
    assert sources(tmp_path, files) == set(expected)


def test_a_url_of_a_file(tmp_path: Path) -> None:
    line = f"one @ file://{tmp_path}/libs/one\n"
    assert sources(tmp_path, {"app/requirements.txt": line}) == set(ONE)


def test_included_folders(tmp_path: Path) -> None:
    assert sources(tmp_path, {}, include=("../shared",)) == {"shared"}


def test_sources_of_uv(tmp_path: Path) -> None:
    text = (
        '[project]\nname = "app"\ndependencies = ["One>1"]\n'
        '[tool.uv.sources]\none = { path = "../libs/one" }\n'
        'three = [{ path = "../libs/three" }]\n'
    )
    assert sources(tmp_path, {"app/pyproject.toml": text}) == set(ONE)
    text = text.replace('["One>1"]', '["three[x]"]')
    assert sources(tmp_path, {"app/pyproject.toml": text}) == {"libs/three"}


def test_members_of_a_workspace_of_uv(tmp_path: Path) -> None:
    """A lock for all is one of the sources, and of the members only what the app depends on."""
    top = '[tool.uv.workspace]\nmembers = ["app", "libs/*"]\n[tool.uv.sources]\n'
    files = {
        "uv.lock": "version = 1\n",
        "pyproject.toml": top + "one = { workspace = true }\nthree = { workspace = true }\n",
        "libs/two/pyproject.toml": '[project]\nname = "two"\n',
        "app/pyproject.toml": '[project]\nname = "app"\ndependencies = ["one"]\n',
    }
    assert sources(tmp_path, files) == {"uv.lock", *ONE}


def test_path_dependencies_of_poetry(tmp_path: Path) -> None:
    text = (
        '[project]\nname = "app"\ndependencies = []\n'
        '[tool.poetry.dependencies]\none = { path = "../libs/one", develop = true }\n'
        '[tool.poetry.group.dev.dependencies]\nthree = [{ path = "../libs/three" }]\n'
    )
    files = {"app/pyproject.toml": text, "app/requirements.txt": ""}
    assert sources(tmp_path, files) == {*ONE, "libs/three"}


def test_a_lock_names_folders_and_files(tmp_path: Path) -> None:
    lock = (
        'lock-version = "1.0"\n[[packages]]\nname = "one"\ndirectory = {path = "../libs/one"}\n'
        '[[packages]]\nname = "four"\n'
        '[[packages.wheels]]\npath = "../wheels/four-1.0-py3-none-any.whl"\n'
    )
    expected = {*ONE, "wheels/four-1.0-py3-none-any.whl"}
    assert sources(tmp_path, {"app/pylock.toml": lock}) == expected
    (tmp_path / "app" / "pylock.toml").unlink()
    (tmp_path / "app" / "pylock.prod.toml").write_text(lock)
    assert sources(tmp_path, {}, requirements=("pylock.prod.toml",)) == expected
