from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azpack.app.config import read_toml
from azpack.deps.poetry_project import PoetryProject, is_poetry_project, listed_dependencies
from azpack.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

POETRY = """
[tool.poetry.dependencies]
Python = "^3.10"
plain = "^1.2"
any = "*"
either = "^1 || ^3"
table = { version = "~2.1", extras = ["x", "y"] }
by_git = { git = "https://code.example/by-git.git", branch = "main", extras = ["z"] }
by_path = { path = "lib", develop = true }
by_url = { url = "https://files.example/by_url-1.0-py3-none-any.whl" }
feed = { version = "1.*", source = "feed" }
split = [{ version = "^1", python = "<3.11" }, { version = "^2", python = ">=3.11" }]
wanted = { version = "^4", optional = true }
unwanted = { version = "^5", optional = true }
[tool.poetry.dependencies.here]
python = "<3.12"
platform = "linux"
markers = "os_name == 'posix' or os_name == 'java'"
[tool.poetry.extras]
Some_Extra = ["wanted", "plain"]
[tool.poetry.dev-dependencies]
old-dev = "*"
[tool.poetry.group.dev.dependencies]
new-dev = "*"
[tool.poetry.group.Docs]
include-groups = ["dev"]
[tool.poetry.group.Docs.dependencies]
docs = "^1"
"""
MAIN = {
    "plain<2,>=1.2",
    "any",
    "either",
    "table[x,y]<2.2,>=2.1",
    (
        'here; (os_name == "posix" or os_name == "java") '
        'and python_full_version < "3.12" and sys_platform == "linux"'
    ),
    "by_git[z]",
    "by_path",
    "by_url",
    "feed==1.*",
    'split<2,>=1; python_full_version < "3.11"',
    'split<3,>=2; python_full_version >= "3.11"',
}
PROJECT = """
[project]
name = "Our.App"
dependencies = [
    "a (>=1,<2)",
    "b[x] @ git+https://code.example/b.git@main ; sys_platform == 'linux'",
    "c ; extra == 'old' and extra != 'new'",
]
[project.optional-dependencies]
old = ["d"]
new = ["e"]
[dependency-groups]
Base = ["f"]
more = ["g>1", { include-group = "base" }]
[tool.poetry.dependencies]
a = { source = "feed" }
other = "^1"
[tool.poetry.extras]
unused = ["other"]
[tool.poetry.group.more.dependencies]
g = { source = "feed" }
[tool.poetry.group.docs.dependencies]
docs = "*"
"""


def lines(
    text: str, tmp_path: Path, *, extras: tuple[str, ...] = (), groups: tuple[str, ...] = ()
) -> set[str]:
    (tmp_path / "pyproject.toml").write_text(text)
    project = PoetryProject.read(tmp_path / "pyproject.toml", "pyproject.toml")
    return {entry.text for entry in listed_dependencies(project, extras, groups)}


def test_what_poetry_lists(tmp_path: Path) -> None:
    assert lines(POETRY, tmp_path) == MAIN
    assert lines(POETRY, tmp_path, extras=("some-extra",)) == {*MAIN, "wanted<5,>=4"}
    assert lines(POETRY, tmp_path, groups=("Dev",)) == {*MAIN, "old-dev", "new-dev"}
    assert lines(POETRY, tmp_path, groups=("docs",)) == {*MAIN, "docs<2,>=1", "old-dev", "new-dev"}


def test_what_the_project_lists(tmp_path: Path) -> None:
    never = 'python_version < "0"'
    always = 'python_version > "0"'
    main = {"a<2,>=1", 'b[x]; sys_platform == "linux"'}
    assert lines(PROJECT, tmp_path) == {*main, f"c; {never} and {always}"}
    assert lines(PROJECT, tmp_path, extras=("old",)) == {*main, f"c; {always} and {always}", "d"}
    found = lines(PROJECT, tmp_path, groups=("more", "docs"))
    assert found == {*main, f"c; {never} and {always}", "g>1", "f", "docs"}


@pytest.mark.parametrize(
    ("project", "expected"),
    [
        ("dependencies = ['a']", {"a"}),
        ("dependencies = []", {"b"}),
        ("version = '1'", {"b"}),
        ("dynamic = ['dependencies']", {"b"}),
        ("dynamic = ['dependencies']\n[project.optional-dependencies]\nx = ['c']", {"b"}),
        ("[project.optional-dependencies]\nx = ['c']", set()),
    ],
)
def test_which_table_counts(tmp_path: Path, project: str, expected: set[str]) -> None:
    text = f"[project]\n{project}\n[tool.poetry.dependencies]\nb = '*'\n"
    assert lines(text, tmp_path) == expected


def test_the_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(POETRY)
    project = PoetryProject.read(tmp_path / "pyproject.toml", "app/pyproject.toml")
    places = {entry.place for entry in listed_dependencies(project, (), ("dev",))}
    assert places == {
        "app/pyproject.toml [tool.poetry.dependencies]",
        "app/pyproject.toml [tool.poetry.group.dev]",
    }


@pytest.mark.parametrize(
    ("extras", "groups", "code"),
    [(("none",), (), "unknown-extra"), ((), ("none",), "unknown-group")],
)
@pytest.mark.parametrize("text", [POETRY, PROJECT])
def test_an_extra_or_group_that_is_not_there(
    tmp_path: Path, text: str, extras: tuple[str, ...], groups: tuple[str, ...], code: str
) -> None:
    with pytest.raises(UsageError) as caught:
        lines(text, tmp_path, extras=extras, groups=groups)
    assert caught.value.code == code


def test_extras_of_poetry_do_not_count_beside_those_of_the_project(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unused"):
        lines(PROJECT, tmp_path, extras=("unused",))


@pytest.mark.parametrize(
    ("text", "asked", "named"),
    [
        ("[tool.poetry.dependencies]\na = 3", "", "a is no dependency"),
        ("[tool.poetry.dependencies]\na = [1]", "", "a is no dependency"),
        ("[tool.poetry.dependencies]\na = {version = 3}", "", "a: version"),
        ("[tool.poetry.dependencies]\na = 'latest'", "", "a: version: 'latest'"),
        ("[tool.poetry.dependencies]\na = {python = 'new'}", "", "a: python: 'new'"),
        ("[tool.poetry.dependencies]\na = {platform = '('}", "", "a: platform"),
        ("[tool.poetry.dependencies]\na = {markers = 'new'}", "", "[tool.poetry.dependencies]"),
        ("[tool.poetry.dependencies]\na = {extras = 'x'}", "", "a: extras"),
        ("[tool.poetry.dependencies]\n'a b' = '*'", "", "a b"),
        ("[tool.poetry.extras]\nx = 'a'", "extra", "[tool.poetry.extras]"),
        ("[project]\ndependencies = 'a'", "", "[project]: dependencies"),
        ("[project]\ndependencies = ['?']", "", "?"),
        ("[project.optional-dependencies]\nx = 'a'", "extra", "x must be a list"),
        ("[dependency-groups]\nx = 'a'", "group", "[dependency-groups] x"),
        ("[dependency-groups]\nx = [{include-group = 'none'}]", "group", "'none'"),
        ("[tool.poetry.group.x]\ninclude-groups = ['none']", "group", "'none'"),
    ],
)
def test_what_cannot_be_understood(tmp_path: Path, text: str, asked: str, named: str) -> None:
    extras = ("x",) if asked == "extra" else ()
    groups = ("x",) if asked == "group" else ()
    with pytest.raises(UsageError) as caught:
        lines(text, tmp_path, extras=extras, groups=groups)
    assert "pyproject.toml" in caught.value.message
    assert named in caught.value.message


def test_groups_that_include_each_other(tmp_path: Path) -> None:
    text = "[dependency-groups]\na = [{include-group = 'b'}]\nb = ['x', {include-group = 'a'}]\n"
    assert lines(text, tmp_path, groups=("a",)) == {"x"}


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("[tool.poetry]\n", True),
        ("[build-system]\nbuild-backend = 'poetry.core.masonry.api'\n", True),
        ("[build-system]\nbuild-backend = 'poetry_dynamic_versioning.backend'\n", True),
        ("[build-system]\nbuild-backend = 'hatchling.build'\n", False),
        ("[project]\nname = 'poetry'\n", False),
        ("tool = 3\n", False),
    ],
)
def test_poetry_projects(tmp_path: Path, text: str, is_one: bool) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert is_poetry_project(read_toml(tmp_path / "pyproject.toml")) is is_one
