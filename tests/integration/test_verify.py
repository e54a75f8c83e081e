"""`azpack verify`: packages that would run on Azure, and all those that would not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azpack.app.project import find_project
from azpack.checks.project import check_project
from azpack.checks.selection import Selection
from azpack.options import Options
from azpack.package.inspection import Wishes, inspect_package
from azpack.pipeline import collect_project
from azpack.worker.verifying import How, verify_package
from tests.broken_apps import BROKEN_APPS, table_lines
from tests.packages import APP, write_package

if TYPE_CHECKING:
    from collections.abc import Iterable

    from azpack.findings import Finding
    from azpack.worker.verifying import Means

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
DOCS = Path(__file__).resolve().parents[2] / "docs"
# What differs most from version to version: the order of sys.path, and the library's own messages.
EVERYWHERE = (
    "a missing dependency", "a syntax error", "two app instances", "a missing entry point",
    "azure/__init__.py at the root", "sys.exit at import", "a crash at import", "a fork at import",
)  # fmt: skip


@pytest.mark.parametrize("python", PYTHONS)
def test_a_sound_app_passes_and_answers(python: str, means: Means, tmp_path: Path) -> None:
    package = write_package(tmp_path / "app.zip", APP)
    how = How(wishes=Wishes(python=python), invoke=("all-http",))
    found = verify_package(package, how, means)
    assert (found.verdict, found.faults) == ("passed", ()), found
    assert [(it.name, it.trigger, it.route) for it in found.functions] == [
        ("hello", "httpTrigger", "/api/hello/{name}")
    ]
    (answer,) = found.invocations
    assert (answer.status, answer.body, answer.url) == ("200", "hello", "/api/hello/1")
    assert found.python.startswith(f"{python}.")
    assert {"interpreter", "worker", "import", "index", "invocation"} == set(found.timings)
    assert "azure.functions" in {it.module for it in found.slowest}


@pytest.mark.parametrize(
    ("name", "python"),
    [(name, BROKEN_APPS[name].python or "3.13") for name in BROKEN_APPS]
    + [(name, python) for name in EVERYWHERE for python in PYTHONS[:-1]],
)
def test_a_broken_app(name: str, python: str, means: Means, tmp_path: Path) -> None:
    app = BROKEN_APPS[name]
    package = write_package(tmp_path / "app.zip", app.files)
    how = How(wishes=Wishes(python=python), invoke=app.invoke, timeout=app.timeout)
    found = verify_package(package, how, means)
    assert found.verdict == app.verdict, found
    first = found.faults[0]
    place = f"{first.path}:{first.line}" if first.line else first.path or ""
    assert (first.code, place) == (app.code, app.at or place), first
    assert app.says in first.message, first
    assert app.hint in first.hint, first
    assert codes(inspect_package(package, how.wishes).findings) == app.inspect


@pytest.mark.parametrize("name", BROKEN_APPS)
def test_what_check_finds_before_the_build(name: str, tmp_path: Path) -> None:
    app = BROKEN_APPS[name]
    for path, content in app.files.items():
        if not path.startswith((".python_packages/", "lib/site-packages/")):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
    if not (tmp_path / "host.json").exists():
        assert app.check == ()  # it is the folder of no project
        return
    target, files = collect_project(find_project(tmp_path), Options(python=app.python or "3.13"))
    assert codes(check_project(files, target, Selection())) == app.check


def codes(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Those of errors and warnings, but for the one that depends on the day (AZP112)."""
    found = {it.code for it in findings if it.severity != "info"}
    return tuple(sorted(found - {"AZP112"}))


def test_the_table_in_the_docs_is_this_one() -> None:
    text = (DOCS / "verify.md").read_text(encoding="utf-8")
    assert "\n".join(table_lines()) in text, "python -m tests.broken_apps prints it"
