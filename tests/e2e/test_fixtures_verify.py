"""Each fixture app, built as users do: Azure's own library loads it, and it answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.commands import Azpack
from tests.fixture_apps import APPS, copy_app

if TYPE_CHECKING:
    from pathlib import Path

# What HTTP functions answer to a request without a body, and which others there are.
ANSWERS: dict[str, dict[str, str]] = {
    "awkward-tree": {"welcome": "200", "model": "200", "today": "200"},
    "native-wheels": {"measure": "400"},
    "poetry-lock": {"page": "200"},
    "pyproject-only": {"inventory": "400"},
    "v1-shared-code": {"Quote": "400", "SubmitOrder": "400"},
    "v2-blueprint": {"probe": "404", "sites": "200"},
}
OTHERS = {"v1-shared-code": ["ProcessOrder"], "v2-blueprint": ["probe_all"]}


@pytest.mark.usefixtures("pythons")
@pytest.mark.parametrize(
    ("name", "python"),
    [
        ("awkward-tree", "3.12"),
        ("native-wheels", "3.13"),
        ("poetry-lock", "3.10"),
        ("pyproject-only", "3.11"),
        ("v1-shared-code", "3.11"),
        ("v1-shared-code", "3.13"),
        ("v2-blueprint", "3.10"),
        ("v2-blueprint", "3.13"),
    ],
)
def test_a_fixture(name: str, python: str, shared_cache: Path, tmp_path: Path) -> None:
    azpack = Azpack(
        tmp_path, AZPACK_CACHE_DIR=str(shared_cache), UV_CACHE_DIR=str(shared_cache / "uv")
    )
    app = copy_app(name, tmp_path / "apps")
    package = tmp_path / "app.zip"
    done = azpack.run("build", app, "--python", python, "--mode", "local", "-o", package)
    assert done.code == 0, done.stderr
    data = azpack.run("verify", package, "--invoke", "all-http", "--json").data()
    assert (data["verdict"], data["errors"]) == ("passed", [])
    assert data["python"]["target"] == python
    assert data["runtime"]["azure_functions_from"] == "package"
    functions = {row["name"] for row in data["functions"]}
    assert functions == {*ANSWERS[name], *OTHERS.get(name, ())}
    assert {row["name"]: row["status"] for row in data["invocations"]} == ANSWERS[name]


def test_all_fixtures_are_here() -> None:
    assert set(os.listdir(APPS)) == set(ANSWERS)
