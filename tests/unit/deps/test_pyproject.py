from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from azpack.deps.pyproject import listed_dependencies, uv_sources
from azpack.deps.requirements import Requirements
from azpack.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = """
[project]
name = "Our-App"
dependencies = ["base>=1", "our_app[Always]; python_version >= '3.10'"]
[project.optional-dependencies]
always = ["more; os_name == 'posix' or os_name == 'nt'", "our-app[deep]"]
deep = ["deeper[x] @ https://x.example/deeper.whl", "our.app[always]"]
Chosen = ["chosen"]
other = ["other"]
[dependency-groups]
Run = ["running", { include-group = "common" }]
common = ["common"]
test = ["pytest"]
[tool.uv.sources]
Base = { path = "base" }
"""


def listed(root: Path, text: str, **chosen: Any) -> dict[str, str]:
    (root / "pyproject.toml").write_text(text)
    requirements = Requirements(kind="pyproject", files=("pyproject.toml",), digest="", **chosen)
    return {entry.text: entry.place for entry in listed_dependencies(requirements, root)}


def test_dependencies_extras_and_groups(tmp_path: Path) -> None:
    found = listed(tmp_path, PROJECT, extras=("chosen",), groups=("run",))
    since = 'python_version >= "3.10"'
    assert found == {
        "base>=1": "pyproject.toml [project] dependencies",
        "chosen": "pyproject.toml [project.optional-dependencies] chosen",
        f'more; {since} and (os_name == "posix" or os_name == "nt")': (
            "pyproject.toml [project.optional-dependencies] always"
        ),
        f"deeper[x] @ https://x.example/deeper.whl ; {since}": (
            "pyproject.toml [project.optional-dependencies] deep"
        ),
        "running": "pyproject.toml [dependency-groups]",
        "common": "pyproject.toml [dependency-groups]",
    }


def test_nothing_is_chosen(tmp_path: Path) -> None:
    assert list(listed(tmp_path, '[project]\nname = "a"\ndependencies = ["b"]\n')) == ["b"]
    assert listed(tmp_path, '[project]\nname = "a"\n') == {}


@pytest.mark.parametrize(
    ("text", "chosen", "says"),
    [
        ('dependencies = ["a=="]', {}, "[project] dependencies"),
        ('[project.optional-dependencies]\nx = ["a=="]', {"extras": ("x",)}, "dependencies] x"),
        ('[dependency-groups]\nx = ["a=="]', {"groups": ("x",)}, "[dependency-groups]"),
        ('[dependency-groups]\nx = [{include-group = "x"}]', {"groups": ("x",)}, "[dependency-gro"),
    ],
)
def test_what_can_not_be_read(
    tmp_path: Path, text: str, chosen: dict[str, tuple[str, ...]], says: str
) -> None:
    with pytest.raises(UsageError) as caught:
        listed(tmp_path, f'[project]\nname = "app"\n{text}\n', **chosen)
    assert says in caught.value.message


def test_names_with_a_source_of_their_own(tmp_path: Path) -> None:
    requirements = Requirements(kind="pyproject", files=("pyproject.toml",), digest="")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    assert uv_sources(requirements, tmp_path) == {"base"}
    for text in ("", "tool = 3", "[tool]\nuv = 3"):
        (tmp_path / "pyproject.toml").write_text(text)
        assert uv_sources(requirements, tmp_path) == frozenset()
