"""The public functions, as docs/python-api.md shows them."""

from __future__ import annotations

import ast
import doctest
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import azpack
from tests.commands import Azpack
from tests.fixture_apps import copy_app, copy_monorepo

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "python-api.md"
_OWN = ("AZPACK_", "PIP_", "UV_", "SOURCE_DATE_EPOCH")


@pytest.fixture
def apps(tmp_path: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the apps that the page speaks of, as the working folder."""
    for name in [name for name in os.environ if name.startswith(_OWN)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AZPACK_CACHE_DIR", str(shared_cache))
    folder = copy_monorepo(tmp_path) / "apps"
    monkeypatch.chdir(folder)
    return folder


def script_of_the_page() -> str:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition("```python\nimport sys")
    return "import sys" + rest.partition("```")[0]


def test_the_example_of_the_page(apps: Path, azpack_command: Azpack) -> None:
    result = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert (result.failed, result.attempted) == (0, 12)
    options = ("--python", "3.12", "--mode", "local", "-o", "command.zip")
    assert azpack_command.run("build", "orders", *options, cwd=apps).code == 0
    assert (apps / "command.zip").read_bytes() == (apps / "orders.zip").read_bytes()


@pytest.fixture
def azpack_command(tmp_path: Path, shared_cache: Path) -> Azpack:
    return Azpack(tmp_path, AZPACK_CACHE_DIR=str(shared_cache))


def test_the_script_of_the_page(apps: Path) -> None:
    (apps / "script.py").write_text(script_of_the_page())
    environment = {**os.environ, "AZPACK_PYTHON": "3.12", "AZPACK_MODE": "local"}
    done = subprocess.run(
        [sys.executable, "script.py", "orders", "invoices"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    places = [line.split()[0] for line in done.stdout.splitlines()]
    assert places == [str(apps / name / "dist" / f"{name}.zip") for name in ("orders", "invoices")]
    manifest = json.loads((apps / "orders/dist/orders.manifest.json").read_text())
    assert manifest["package"]["content_digest"] == done.stdout.split()[1]

    (apps / "invoices" / "requirements.txt").write_text("six===0\n")
    done = subprocess.run(
        [sys.executable, "script.py", "invoices"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("invoices: requirements.txt:1 (six===0) can't be resolved")


def test_errors_are_told_apart(apps: Path, tmp_path: Path) -> None:
    with pytest.raises(azpack.UsageError, match="does not exist"):
        azpack.load_project(tmp_path / "missing")
    project = azpack.load_project(apps / "orders")
    with pytest.raises(TypeError):
        azpack.load_options(project, pyhton="3.12")
    with pytest.raises(azpack.UsageError, match=r"3\.1 "):
        azpack.find_target(project, azpack.Options(python="3.1"))
    (project.root / "host.json").write_text("{")
    with pytest.raises(azpack.FindingsError) as caught:
        azpack.build(project, tmp_path / "x.zip", azpack.Options(python="3.12"))
    assert [found.code for found in caught.value.findings] == ["AZP102"]
    assert not (tmp_path / "x.zip").exists()
    with pytest.raises(azpack.FileError):
        azpack.inspect_package(tmp_path / "x.zip")


def test_the_configuration_counts(apps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (apps / "orders" / "azpack.toml").write_text('python = "3.10"\nexclude = ["*.txt"]\n')
    project = azpack.load_project(apps / "orders")
    assert azpack.find_target(project).python == "3.10"
    assert azpack.find_target(project).reason == "the configuration"
    assert azpack.collect_files(project).included == ("function_app.py", "host.json")
    monkeypatch.setenv("AZPACK_PYTHON", "3.11")
    assert azpack.find_target(project).python == "3.11"


@pytest.mark.usefixtures("apps")
def test_a_project_without_dependencies(tmp_path: Path) -> None:
    app = copy_app("v2-blueprint", tmp_path)
    (app / "requirements.txt").unlink()
    project = azpack.load_project(app)
    target = azpack.find_target(project)
    lock = azpack.resolve(project, target)
    assert lock.distributions == ()
    assert azpack.obtain_wheels(project, lock, target) == ()
    package = azpack.assemble(azpack.collect_files(project), (), target, tmp_path / "x.zip")
    assert package.entries == len(azpack.collect_files(project).included)


def test_all_public_names_are_there() -> None:
    for name in azpack.__all__:
        assert getattr(azpack, name).__doc__
        assert name in dir(azpack)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        azpack.nothing  # noqa: B018
    tree = ast.parse(Path(azpack.__file__).read_text())
    typed = [alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
             for alias in node.names]  # fmt: skip
    assert set(azpack.__all__) <= set(typed)
