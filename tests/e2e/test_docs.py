"""Every command of the documentation, run as a reader runs it; its output is what is shown."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.commands import Azpack
from tests.documentation import PAGES, blocks_of, run

if TYPE_CHECKING:
    from collections.abc import Mapping

WITH_COMMANDS = [page for page in PAGES if any(block.is_run for block in blocks_of(page))]
NEEDED = {"monorepo.md": "git", "verify.md": "pythons"}  # by what the pages run, of conftest.py


@pytest.fixture
def environment(tmp_path: Path, shared_cache: Path) -> Mapping[str, str]:
    """That of somebody who has azpack, git, an empty home and an empty store."""
    home = tmp_path / "home"
    home.mkdir()
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = dict(Azpack(tmp_path).environment)
    del environment["AZPACK_IGNORE"]
    return environment | {
        "GIT_AUTHOR_EMAIL": "me@example.org",
        "GIT_AUTHOR_NAME": "me",
        "GIT_COMMITTER_EMAIL": "me@example.org",
        "GIT_COMMITTER_NAME": "me",
        "HOME": str(home),
        "PATH": f"{home}/.local/bin{os.pathsep}{programs}",
        "UV_CACHE_DIR": str(shared_cache / "uv"),
    }


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
def test_commands(
    page: Path,
    tmp_path: Path,
    environment: Mapping[str, str],
    request: pytest.FixtureRequest,
) -> None:
    if page.name in NEEDED:
        request.getfixturevalue(NEEDED[page.name])
    folder = tmp_path / "reader"
    folder.mkdir()
    for block, wrong in run(page, folder, environment):
        assert not wrong, f"{block.place}: {wrong}"
