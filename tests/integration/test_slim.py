"""`build --slim`, as far as it is not the choice itself: package, manifest, cache, modes."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands import Azpack, make_app
from tests.distributions import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

SITE = ".python_packages/lib/site-packages/"
FILES = {
    "alpha/__init__.py": b"",
    "alpha/core.pyi": b"x: int\n",
    "alpha/tests/__init__.py": b"",
    "alpha/tests/test_it.py": b"def test_it(): pass\n",
}


@pytest.fixture
def links(tmp_path: Path) -> Path:
    folder = tmp_path / "links"
    folder.mkdir()
    make_wheel(folder, "alpha", files=FILES)
    return folder


@pytest.fixture
def azpack(tmp_path: Path, links: Path) -> Azpack:
    links_only = {"AZPACK_NO_INDEX": "1", "AZPACK_FIND_LINKS": str(links)}
    return Azpack(tmp_path, **links_only, AZPACK_PYTHON="3.11")


@pytest.fixture
def app(tmp_path: Path, azpack: Azpack) -> Path:
    app = make_app(tmp_path / "app", "alpha\n")
    assert azpack.run("lock", app).code == 0
    return app


def build(azpack: Azpack, app: Path, *options: str) -> tuple[Any, set[str]]:
    data = azpack.run("build", app, "--json", *options).data()
    with zipfile.ZipFile(data["package"]["path"]) as package:
        names = {name.removeprefix(SITE) for name in package.namelist() if name.startswith(SITE)}
        record = package.read(f"{SITE}alpha-1.0.dist-info/RECORD").decode()
    assert {row[0] for row in csv.reader(io.StringIO(record))} == names
    return data, {name for name in names if ".dist-info/" not in name}


def test_it_is_left_out_and_said(azpack: Azpack, app: Path) -> None:
    plain, names = build(azpack, app)
    assert names == set(FILES)
    assert plain["left_out"] is None
    for _ in range(2):  # made, and found by the lock
        data, names = build(azpack, app, "--slim")
        assert names == {"alpha/__init__.py"}
        assert data["left_out"] == {
            "files": 3, "size": 27,
            "distributions": [{"distribution": "alpha", "files": 3, "size": 27,
                               "paths": ["alpha/core.pyi", "alpha/tests/"]}],
        }  # fmt: skip
        assert (
            json.loads((app / "dist/app.manifest.json").read_bytes())["left_out"]
            == (data["left_out"])
        )
    assert build(azpack, app)[0]["package"] == plain["package"]
    done = azpack.run("build", app, "--slim")
    assert b"  left out  3 files of 1 distribution, 27 B unpacked\n" in done.stdout


def test_what_the_app_imports_stays(azpack: Azpack, app: Path) -> None:
    for code, stays in (("", False), ("from alpha.tests import test_it\n", True), ("", False)):
        (app / "own.py").write_text(code)
        assert ("alpha/tests/test_it.py" in build(azpack, app, "--slim")[1]) is stays


def test_with_bytecode(azpack: Azpack, app: Path) -> None:
    _, names = build(azpack, app, "--slim", "--compile")
    assert names == {"alpha/__init__.py", "alpha/__pycache__/__init__.cpython-311.pyc"}
    # No test has bytecode, also where it stays.
    (app / "own.py").write_text("import alpha.tests\n")
    _, names = build(azpack, app, "--slim", "--compile")
    assert {name for name in names if name.endswith(".pyc")} == {
        "alpha/__pycache__/__init__.cpython-311.pyc"
    }


@pytest.mark.parametrize("mode", ["none", "remote"])
def test_modes_that_it_is_not_for(azpack: Azpack, app: Path, mode: str) -> None:
    done = azpack.run("build", app, "--json", "--slim", "--mode", mode)
    assert "--slim" in done.error(2, "contradiction")["message"]


def test_it_can_stand_in_the_configuration(azpack: Azpack, app: Path) -> None:
    (app / "azpack.toml").write_text("slim = true\ncompile = true\n")
    data, _ = build(azpack, app)
    assert data["left_out"]["files"] == 3
    assert data["bytecode"]["files"] == 1
