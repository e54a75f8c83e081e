"""The driver's own parts; what it does with the library, the integration tests tell."""

from __future__ import annotations

import ast
import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azpack.worker import driver
from azpack.worker.driver import ImportTimer, Message, Report, describe

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules that are forgotten again."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_it_needs_the_standard_library_alone() -> None:
    """Of every Python that Azure has: the syntax is that of the oldest."""
    tree = ast.parse(Path(driver.__file__).read_text(encoding="utf-8"), feature_version=(3, 10))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom)
                     else [it.name for it in node.names])
    }  # fmt: skip
    assert imported <= sys.stdlib_module_names


def test_the_times_of_imports(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (modules / "azv_outer").mkdir()
    (modules / "azv_outer/__init__.py").write_text("from azv_outer import part\n")
    (modules / "azv_outer/part.py").write_text("import azv_inner\n")
    (modules / "azv_inner.py").write_text("")
    timer = ImportTimer()
    monkeypatch.setattr(sys, "meta_path", [timer, *sys.meta_path])
    outer = importlib.import_module("azv_outer")
    rows = {name: (seconds, own) for name, seconds, own in timer.slowest()}
    assert rows.keys() == {"azv_outer", "azv_outer.part", "azv_inner"}
    assert rows["azv_outer"][0] > rows["azv_outer.part"][0] > rows["azv_inner"][0] > 0
    # What is below the package is its own, what it imports from elsewhere is not.
    assert rows["azv_outer"][1] == pytest.approx(rows["azv_outer"][0] - rows["azv_inner"][0])
    assert timer.seconds == pytest.approx(rows["azv_outer"][0])
    spec = outer.__spec__
    assert spec is not None
    assert "exec_module" not in vars(spec.loader)  # as it was
    assert importlib.reload(outer) is outer


def test_a_module_that_fails_is_timed_too(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (modules / "azv_bad.py").write_text("1 / 0\n")
    timer = ImportTimer()
    monkeypatch.setattr(sys, "meta_path", [timer, *sys.meta_path])
    with pytest.raises(ZeroDivisionError) as caught:
        importlib.import_module("azv_bad")
    assert [row[0] for row in timer.slowest()] == ["azv_bad"]
    found = describe(caught.value)
    assert found["type"] == "ZeroDivisionError"
    assert found["frames"][-1][:2] == (str(modules / "azv_bad.py"), 1)
    assert timer.find_spec("azv_nowhere") is None


def test_what_is_known_of_errors() -> None:
    unfilled = RuntimeError("cannot load %s: %s", "a", "b")
    assert describe(unfilled)["message"] == "cannot load a: b"
    assert describe(ValueError("100%", 3))["message"] == "('100%', 3)"
    syntax = SyntaxError("bad", ("/app/a.py", 7, 1, "x"))
    assert describe(syntax)["frames"] == [("/app/a.py", 7, "")]
    assert "ImportError" in describe(ModuleNotFoundError("no"))["bases"]
    assert len(describe(ValueError("x" * 10**6))["message"]) <= 20_000


def test_messages_stand_in_for_those_of_protobuf() -> None:
    binding = Message(name="req", data=Message(string="x"))
    assert binding.WhichOneof("rpc_data") == "data"
    assert binding.data.WhichOneof("data") == "string"
    assert Message(name="req").WhichOneof("rpc_data") is None
    assert binding.other is None
    assert not hasattr(binding, "TypedData")


def test_the_report_is_lines(tmp_path: Path) -> None:
    report = Report(str(tmp_path / "result"))
    report.write("start", python="3.12")
    report.write("end", text="a\nb")
    lines = (tmp_path / "result").read_text().splitlines()
    assert list(map(json.loads, lines)) == [
        {"stage": "start", "python": "3.12"},
        {"stage": "end", "text": "a\nb"},
    ]
