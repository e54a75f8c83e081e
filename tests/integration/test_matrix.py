"""`matrix` in real Git repositories."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.commands import Azpack
from tests.fixture_apps import copy_monorepo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOTH = {"orders", "invoices"}


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    return Azpack(tmp_path, AZPACK_PYTHON="3.12", GITHUB_ACTIONS="", TF_BUILD="")


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Me", "-c", "user.email=me@tests.example")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, need: Callable[[str, str], NoReturn]) -> Path:
    """The monorepo of the fixtures, committed, on a branch that parts from main there."""
    folder = copy_monorepo(tmp_path)
    try:
        git(folder, "init", "--initial-branch", "main")
    except FileNotFoundError:
        need("git", "no git on this machine")
    (folder / "README.md").write_text("all of it\n")
    git(folder, "add", ".")
    git(folder, "commit", "--message", "all")
    git(folder, "switch", "--create", "branch")
    return folder


def changed(azpack: Azpack, repository: Path, *options: str) -> dict[str, str]:
    done = azpack.run("matrix", "--since", "main", "--json", *options, cwd=repository)
    return {row["name"]: row["changed"] for row in done.data()["apps"]}


def matrix(azpack: Azpack, repository: Path, *options: str) -> Any:
    done = azpack.run("matrix", *options, cwd=repository)
    assert done.code == 0, done.stderr
    assert done.stdout.count(b"\n") == 1
    return json.loads(done.stdout)


def test_all_apps(azpack: Azpack, repository: Path) -> None:
    invoices = {"name": "invoices", "project": "apps/invoices", "python": "3.12"}
    orders = {"name": "orders", "project": "apps/orders", "python": "3.12"}
    assert matrix(azpack, repository) == {"include": [invoices, orders]}
    expected = {"invoices": invoices, "orders": orders}
    assert matrix(azpack, repository, "--format", "azure") == expected
    azpack.environment["TF_BUILD"] = "True"
    assert matrix(azpack, repository) == expected
    assert matrix(azpack, repository, "--format", "github") == {"include": [invoices, orders]}


def test_each_app_has_a_python_of_its_own(azpack: Azpack, repository: Path) -> None:
    del azpack.environment["AZPACK_PYTHON"]
    (repository / "apps/orders/.python-version").write_text("3.13\n")
    (repository / "apps/invoices/.python-version").write_text("3.10\n")
    rows = matrix(azpack, repository)["include"]
    assert [row["python"] for row in rows] == ["3.10", "3.13"]


def test_nothing_changed(azpack: Azpack, repository: Path) -> None:
    assert changed(azpack, repository) == {}
    assert matrix(azpack, repository, "--since", "main") == {"include": []}
    assert matrix(azpack, repository, "--since", "main", "--format", "azure") == {}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("apps/orders/function_app.py", {"orders"}),
        ("apps/orders/new/module.py", {"orders"}),
        ("shared_rules/discounts.py", BOTH),
        ("libs/pricing/src/pricing/__init__.py", BOTH),
        ("libs/pricing/pyproject.toml", BOTH),
        ("README.md", set()),
        ("apps/README.md", set()),
        ("libs/other/pyproject.toml", set()),
    ],
)
@pytest.mark.parametrize("committed", [True, False])
def test_what_a_change_concerns(
    azpack: Azpack, repository: Path, path: str, names: set[str], committed: bool
) -> None:
    (repository / path).parent.mkdir(exist_ok=True, parents=True)
    with (repository / path).open("a") as file:
        file.write("\n")
    if committed:
        git(repository, "add", ".")
        git(repository, "commit", "--message", "a change")
    assert changed(azpack, repository) == dict.fromkeys(names, path)


def test_what_was_removed_or_renamed_counts(azpack: Azpack, repository: Path) -> None:
    git(repository, "mv", "shared_rules/discounts.py", "shared_rules/rebates é.py")
    git(repository, "rm", "apps/orders/.funcignore")
    assert changed(azpack, repository).keys() == BOTH
    git(repository, "commit", "--message", "other names")
    assert changed(azpack, repository) == {
        "invoices": "shared_rules/discounts.py",
        "orders": "apps/orders/.funcignore",
    }


def test_what_others_did_on_main_does_not_count(azpack: Azpack, repository: Path) -> None:
    git(repository, "switch", "main")
    (repository / "apps/orders/function_app.py").write_text("")
    git(repository, "commit", "--all", "--message", "of somebody else")
    git(repository, "switch", "branch")
    assert changed(azpack, repository) == {}


def test_from_within_the_repository(azpack: Azpack, repository: Path) -> None:
    (repository / "shared_rules/discounts.py").write_text("")
    done = azpack.run("matrix", "--since", "main", "--json", cwd=repository / "apps/orders")
    [row] = done.data()["apps"]
    assert (row["project"], row["changed"]) == (".", "../../shared_rules/discounts.py")
    done = azpack.run("matrix", "apps", "--since", "main", "--json", cwd=repository)
    assert [row["project"] for row in done.data()["apps"]] == ["apps/invoices", "apps/orders"]


def test_names_that_jobs_can_have(azpack: Azpack, repository: Path) -> None:
    (repository / "apps/orders").rename(repository / "apps/2nd-orders.é")
    assert set(matrix(azpack, repository, "--format", "azure")) == {"app_2nd_orders__", "invoices"}
    (repository / "apps/invoices").rename(repository / "apps/2nd_orders.é")
    done = azpack.run("matrix", "--format", "azure", "--json", cwd=repository)
    error = done.error(2, "same-names")
    assert "apps/2nd-orders.é and apps/2nd_orders.é" in error["message"]


def test_a_revision_that_is_not_there(azpack: Azpack, repository: Path, tmp_path: Path) -> None:
    for revision in ("origin/main", "--output=x", "0" * 40, "main..branch", ""):
        done = azpack.run("matrix", f"--since={revision}", "--json", cwd=repository)
        if revision:
            error = done.error(2, "git-failed")
            assert error["message"].startswith(f"there is no revision {revision} in ")
            assert "fetch-depth: 0" in error["hint"]
        else:
            assert done.code == 0
    (repository / "apps/orders/function_app.py").write_text("")
    git(repository, "commit", "--all", "--message", "another")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--depth", "1", f"file://{repository}", str(shallow))
    done = azpack.run("matrix", "--since", "main", "--json", cwd=shallow)
    error = done.error(2, "git-failed")
    assert error["message"].startswith("there is no revision main in ")


def test_no_repository(azpack: Azpack, tmp_path: Path) -> None:
    folder = copy_monorepo(tmp_path)
    azpack.environment["GIT_CEILING_DIRECTORIES"] = str(tmp_path)
    assert matrix(azpack, folder)["include"]
    error = azpack.run("matrix", "--since", "main", "--json", cwd=folder).error(2, "git-failed")
    assert "not a git repository" in error["message"]
    azpack.environment["PATH"] = "/nonexistent"
    azpack.run("matrix", "--since", "main", "--json", cwd=folder).error(2, "no-git")
