"""What Microsoft's documentation shows is right: no rule has anything to say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azpack.app.collect import collect_files
from azpack.app.functions.reading import read_app
from azpack.app.tree_folder import FolderTree
from azpack.checks.project import check_project
from azpack.checks.selection import Selection
from azpack.target.target import find_target
from tests.documented_apps import DOCUMENTED_APPS, REQUIREMENTS

if TYPE_CHECKING:
    from pathlib import Path

HOST = """{
  "version": "2.0",
  "logging": {"applicationInsights": {"samplingSettings": {"isEnabled": true}}},
  "extensionBundle": {
    "id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"
  }
}
"""
# It depends on the day.
SELECTION = Selection(ignore=("AZP112",))


@pytest.mark.parametrize("python", ["3.10", "3.13", "3.14"])
@pytest.mark.parametrize("name", DOCUMENTED_APPS)
def test_nothing_is_found(name: str, python: str, tmp_path: Path) -> None:
    requirements = f"azure-functions\nazure-functions-durable\n{REQUIREMENTS.get(name, '')}"
    files = {"host.json": HOST, "requirements.txt": requirements, **DOCUMENTED_APPS[name]}
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    collected = collect_files(tmp_path)
    for plan in ("flex", "premium"):
        target = find_target(tmp_path, python=python, plan=plan)
        assert check_project(collected, target, SELECTION) == ()
        model = read_app(FolderTree(collected), target)
        assert model.functions
        assert model.unknown == ()
        assert all(it.trigger is not None and it.name for it in model.functions)
