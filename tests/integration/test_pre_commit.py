"""The hook, installed and run by pre-commit from a repository of azpack's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.commands import Azpack, make_app

PROJECT = Path(__file__).parents[2]
ITS_OWN = ("LICENSE", "README.md", "pyproject.toml", ".pre-commit-hooks.yaml")


def run(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **Azpack(folder).environment,
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.example",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b.example",
        "PRE_COMMIT_HOME": str(folder.parent / "pre-commit"),
    }  # fmt: skip
    # Else git and pre-commit take these for the repository to work on, where a hook runs the tests.
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        environment.pop(name, None)
    return subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=300, check=False,
    )  # fmt: skip


def commit(git: str, folder: Path) -> None:
    for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "all")):
        done = run(folder, git, *arguments)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def hooks(git: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with azpack, as it is released."""
    folder = tmp_path_factory.mktemp("hooks") / "azpack"
    leave_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "azpack", folder / "azpack", ignore=leave_out)
    for name in ITS_OWN:
        shutil.copy(PROJECT / name, folder)
    commit(git, folder)
    return folder


def test_commits_are_stopped_by_findings(git: str, hooks: Path) -> None:
    app = make_app(hooks.parent / "app" / "apps" / "one", files={"function_app.py": "x = 1\n"})
    root = app.parents[1]
    rev = run(hooks, git, "rev-parse", "HEAD").stdout.strip()
    hook = {"id": "azpack-check", "args": ["apps/one", "--python", "3.11", "--select", "AZP301"]}
    config = {"repos": [{"repo": str(hooks), "rev": rev, "hooks": [hook]}]}
    (root / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    commit(git, root)
    program = Path(sys.executable).with_name("pre-commit")
    assert run(root, program, "install").returncode == 0

    def try_to_commit(path: str, text: str) -> subprocess.CompletedProcess[str]:
        root.joinpath(path).write_text(text)
        assert run(root, git, "add", path).returncode == 0
        return run(root, git, "commit", "-m", "change")

    passed = try_to_commit("apps/one/function_app.py", "x = 2\n")
    assert passed.returncode == 0, passed.stderr
    assert "Passed" in passed.stderr

    broken = try_to_commit("apps/one/function_app.py", "def f(:\n")
    assert broken.returncode == 1
    assert "AZP301" in broken.stderr

    assert run(root, git, "reset", "-q", "--hard").returncode == 0
    other = try_to_commit("notes.txt", "x\n")
    assert other.returncode == 0
    assert "Skipped" in other.stderr


def test_the_schema_of_the_hooks() -> None:
    program = Path(sys.executable).with_name("pre-commit")
    done = subprocess.run(
        [program, "validate-manifest", PROJECT / ".pre-commit-hooks.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
