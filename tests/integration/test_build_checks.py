"""`azpack build` checks the project before it builds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.commands import Azpack, make_app
from tests.distributions import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

FUNCTION = """\
import azure.functions as func

app = func.FunctionApp()


@app.route("hello")
def hello(req: func.HttpRequest) -> str:
    return "hello"
"""


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    return Azpack(tmp_path, AZPACK_IGNORE="", AZPACK_PYTHON="3.12", AZPACK_NO_INDEX="1")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "a")
    files = {"function_app.py": FUNCTION}
    return make_app(tmp_path / "app", f"--find-links {wheels}\na\n", files=files)


def findings(azpack: Azpack, app: Path, *arguments: str) -> list[str]:
    data = azpack.run("build", app, "--json", *arguments).data()
    return [row["code"] for row in data["findings"]]


def test_errors_stop_a_build(azpack: Azpack, app: Path) -> None:
    (app / "host.json").write_text('{"version": "3.0", "x": 1}')
    done = azpack.run("build", app, "--json")
    assert {code: row["severity"] for code, row in done.findings().items()} == {
        "AZP102": "error",
        "AZP114": "warning",
    }
    assert not (app / "dist").exists()
    plan = azpack.run("build", app, "--dry-run", "--json")
    assert set(plan.findings()) == {"AZP102", "AZP114"}
    assert findings(azpack, app, "--no-check") == []
    assert (app / "dist/app.zip").exists()


def test_warnings_are_shown(azpack: Azpack, app: Path) -> None:
    (app / "calendar.py").touch()
    (app / ".funcignore").write_text("docs/*.md\n!docs/a.md\n")  # a note is for `check` alone
    (app / "docs").mkdir()
    (app / "docs/b.md").touch()
    for _ in range(3):  # found, then remembered
        done = azpack.run("build", app)
        assert done.code == 0
        assert "warning: AZP106: calendar.py has the name" in done.stderr
        assert "AZP110" not in done.stderr
    (app / "azpack.toml").write_text("[check]\nignore = ['AZP106']\n")
    assert findings(azpack, app) == []


def test_what_is_remembered_is_of_these_files(azpack: Azpack, app: Path) -> None:
    assert findings(azpack, app) == []
    assert findings(azpack, app) == []
    # As long as before, and said to be as old.
    before = os.stat(app / "host.json")
    (app / "host.json").write_text('{"versiom": "2.0"}\n')
    os.utime(app / "host.json", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert before.st_size == os.stat(app / "host.json").st_size
    assert "AZP102" in azpack.run("build", app, "--json").findings()
    (app / "host.json").write_text('{"version": "2.0"}\n')
    assert findings(azpack, app) == []
    (app / "typing.py").touch()
    assert findings(azpack, app) == ["AZP106"]
    assert "AZP106" in azpack.run("build", app, "--plan", "premium", "--json").findings()
    assert findings(azpack, app) == ["AZP106"]
    assert findings(azpack, app, "--exclude", "typing.py") == []


def test_a_record_that_was_cut_short(azpack: Azpack, app: Path) -> None:
    (app / "calendar.py").touch()
    assert findings(azpack, app) == ["AZP106"]
    for record in azpack.cache.glob("v*/plans/*"):
        record.write_bytes(record.read_bytes()[:5])
    assert findings(azpack, app) == ["AZP106"]


def test_no_store_is_needed(azpack: Azpack, app: Path) -> None:
    assert findings(azpack, app, "--mode", "none") == []
    assert not azpack.cache.exists()
