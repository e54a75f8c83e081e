"""What is beyond a limit is not looked into, and nothing is concluded from what is missing."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azpack.app import modules
from azpack.app.functions import evaluation, reach, v1
from azpack.app.functions.reach import Reach
from azpack.app.functions.reading import read_app
from azpack.app.modules import parse_module, source_of, unread_modules
from azpack.target.target import find_target
from tests.unit.app.functions.trees import TextTree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from azpack.app.functions import AppModel
    from azpack.app.tree import Tree

TARGET = find_target(Path(), python="3.11")
APP = "import azure.functions as func\napp = func.FunctionApp()\n"
REGISTERED = "app.register_functions(bp)\n"
FUNCTION = "@app.route()\ndef f{0}(req: func.HttpRequest): pass\n"
BLUEPRINT = "import azure.functions as func\nbp = func.Blueprint()\n" + FUNCTION.replace(
    "app", "bp"
).format("x")


def read(tree: Tree) -> AppModel:
    return read_app(tree, TARGET)


class CountingTree(TextTree):
    """Counts what is read."""

    def __init__(self, files: dict[str, str]) -> None:
        super().__init__(files)
        self.reads = Counter[str]()

    def read(self, path: str, limit: int = 1 << 22) -> bytes:
        self.reads[path] += 1
        return super().read(path, limit)


def circle(count: int) -> dict[str, str]:
    everything = "".join(f"import m{at}\n" for at in range(count))
    return {f"m{at}.py": everything for at in range(count)}


def test_modules_are_read_once() -> None:
    files = {"function_app.py": f"{APP}import m0\n{FUNCTION.format(0)}", **circle(20)}
    tree = CountingTree({**files, "host.json": "{}"})
    read(tree)
    assert max(count for path, count in tree.reads.items() if path.endswith(".py")) == 1


def test_imports_in_a_circle_are_walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_for = Counter[str]()
    find = modules.find_module

    def counting(tree: Tree, name: str) -> str | None:
        looked_for[name] += 1
        return find(tree, name)

    monkeypatch.setattr(reach, "find_module", counting)
    found = Reach(TextTree(circle(50)))
    assert not any(found.is_relevant(f"m{at}.py") for at in range(50))
    assert looked_for.total() == 50 * 50


def test_relevance_comes_from_what_is_imported() -> None:
    files = {"a.py": "import b\n", "b.py": "import c, a\n", "c.py": "x = 1\n", "d.py": "import b\n"}
    found = Reach(TextTree({**files, "c.py": "x = FunctionApp\n"}))
    assert [found.is_relevant(path) for path in ("c.py", "a.py", "d.py")] == [True] * 3
    found = Reach(TextTree({**files, "a.py": "import b  # FunctionApp\n"}))
    assert [found.is_relevant(path) for path in ("c.py", "d.py", "b.py")] == [False, True, True]


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("MOST_CODE", "all modules together are too large"),
        ("MOST_TOKENS_OF_MODULE", "too much code to be parsed"),
        ("MOST_TOKENS", "all modules together have too much code"),
    ],
)
def test_modules_that_are_too_large(limit: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, limit, 100)
    tree = TextTree({"a.py": "x = [1, 2]\n", "b.py": "x = [" + "1," * 200 + "]\n"})
    assert parse_module(tree, "a.py").tree is not None
    module = parse_module(tree, "b.py")
    assert module.tree is None
    assert module.problem is not None
    assert module.problem.kind == "unknown"
    assert [(path, said in why) for path, why in unread_modules(tree).items()] == [("b.py", True)]


def test_trees_that_are_not_asked_for_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "MOST_TOKENS_KEPT", 500)
    tree = TextTree({f"m{at}.py": "x = [" + "1," * 200 + "]\n" for at in range(5)})
    first = parse_module(tree, "m0.py")
    assert parse_module(tree, "m0.py") is first
    for at in range(1, 5):
        parse_module(tree, f"m{at}.py")
    assert parse_module(tree, "m0.py") is not first
    assert source_of(tree, "m0.py") is parse_module(tree, "m0.py").source


def test_tokens_are_counted_as_they_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "_FEW_SIGNS", 0)
    count = modules._count_tokens
    assert count(b'"""A text, of, many (words)."""\n' * 5) == 5
    assert count(b"# A comment, of, many (words).\n" * 5) == 5
    assert count(b"x = [a+b, 'c, d', r'\\'']\n") == 8
    assert count(b"f'{a}{b}{c}{d}{e}'") > 5


def steps(lines: Iterable[str]) -> str:
    return APP + FUNCTION.format(0) + "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "lines",
    [
        ["x = [1]", *["x = x + x"] * 60],
        ["x = [1]", *["x += x"] * 60],
        ["x = [1]", *["x.extend(x)"] * 60],
        ["x = [1]", *["x = [*x, *x]"] * 60],
        ["x = 'a'", *["x = x + x"] * 60],
        ["x = 'a'", *["x = f'{x}{x}'"] * 60],
        [f"many = [{'1,' * 200}]", "for a in many:", " for b in many:", "  for c in many: f(c)"],
        ["app.register_functions(app)"] * 60,
    ],
)
def test_what_never_ends_is_not_followed(lines: list[str]) -> None:
    found = read(TextTree({"function_app.py": steps(lines), "host.json": "{}"}))
    assert found.findings == ()
    assert any("more code than is followed" in sentence for sentence in found.unknown)
    assert found.functions


@pytest.mark.parametrize("lines", [["x = [app]", *["x = [x, x]"] * 60, "f(x)"],
                                   ["a = []", "b = [a]", "a.append(b)", "f(a)"]])  # fmt: skip
def test_lists_in_lists_are_gone_through_once(lines: list[str]) -> None:
    found = read(TextTree({"function_app.py": steps(lines), "host.json": "{}"}))
    assert found.findings == ()
    assert not any("more code" in sentence for sentence in found.unknown)


def test_nothing_is_concluded_from_what_was_followed_in_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {
        "function_app.py": f"{APP}from b import bp\n"
        + "x = 1\n" * 50
        + "app.register_functions(bp)",
        "b.py": BLUEPRINT,
        "c.py": BLUEPRINT,
        "host.json": "{}",
    }
    assert [finding.code for finding in read(TextTree(files)).findings] == ["AZP306"]
    monkeypatch.setattr(reach, "MOST_STEPS", 60)
    assert read(TextTree(files)).findings == ()
    monkeypatch.setattr(reach, "MOST_STEPS", 1_000_000)
    monkeypatch.setattr(reach, "MOST_IMPORTS", 1)
    assert read(TextTree(files)).findings == ()
    monkeypatch.setattr(reach, "MOST_IMPORTS", 1_000)
    monkeypatch.setattr(evaluation, "MOST_TOKENS_KEPT", 10)
    assert read(TextTree(files)).findings == ()


def test_functions_beyond_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    table = '{"bindings": [{"name": "t", "type": "timerTrigger", "direction": "in"}]}'
    files = {f"F{at}/function.json": table for at in range(5)}
    files |= {f"F{at}/__init__.py": "def main(t): pass\n" for at in range(5)}
    assert len(read(TextTree(files)).functions) == 5
    monkeypatch.setattr(v1, "MOST_FUNCTIONS", 2)
    found = read(TextTree(files))
    assert len(found.functions) == 2
    assert [(it.code, it.severity, it.path) for it in found.findings] == [
        ("AZP201", "warning", "F2/function.json")
    ]
    assert "3 folders more" in found.findings[0].message
    monkeypatch.setattr(v1, "MOST_FUNCTIONS", 9)
    monkeypatch.setattr(v1, "MOST_JSON", 200)
    found = read(TextTree(files))
    assert [(it.code, it.severity) for it in found.findings] == [("AZP201", "warning")] * 3


@pytest.mark.parametrize("depth", [5, 19])
def test_what_the_compiler_would_repeat(depth: int) -> None:
    text = ""
    for at in range(depth):
        text += " " * at + "try: pass\n" + " " * at + "finally:\n"
    text += " " * depth + "pass;" * 50 + "\nreturn\n"
    module = parse_module(TextTree({"a.py": text}), "a.py")
    problem = modules.problem_on(module, (3, 10), compiled=True)
    assert (problem is not None) == (depth == 5)


@pytest.mark.parametrize("depth", [5, 19])
def test_what_the_compiler_would_repeat_in_what_is_imported(depth: int) -> None:
    text = ""
    for at in range(depth):
        text += " " * at + "try: pass\n" + " " * at + "finally:\n"
    tree = TextTree({"a.py": text + " " * depth + "pass;" * 50 + "\nreturn\n"})
    problem = modules.check_syntax(tree, "a.py", sys.version_info[:2])
    assert (problem is not None) == (depth == 5)


def test_modules_whose_syntax_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "MOST_TOKENS_OF_MODULE", 40)
    monkeypatch.setattr(modules, "MOST_TOKENS", 60)
    broken = "x = " + "-" * 30 + "\n"
    tree = TextTree({"Large.py": broken * 2, "a.py": broken, "b.py": broken, "c.py": "x = (\n"})
    found = {path: modules.check_syntax(tree, path, (3, 10)) for path in tree.paths()}
    assert [path for path, problem in found.items() if problem is not None] == ["a.py"]
    assert {path: why.partition(" too")[0] for path, why in unread_modules(tree).items()} == {
        "Large.py": "it has", "b.py": "all modules together have",
        "c.py": "all modules together have",
    }  # fmt: skip


def test_submodules_are_looked_for_as_long_as_there_is_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ", ".join(f"m{at}" for at in range(20))
    files = {f"p/m{at}.py": "def (\n" for at in range(20)}
    text = "# of m and of n\n" * 100
    tree = TextTree({
        "host.json": "{}", "p/__init__.py": text, **files,
        "function_app.py": f"{APP}from p import {names}\n{FUNCTION.format(0)}",
    })  # fmt: skip
    assert len(read(tree).findings) == 20
    monkeypatch.setattr(reach, "MOST_STEPS", 100)
    assert 0 < len(read(tree).findings) < 20


@pytest.mark.parametrize(
    "annotation",
    ["|".join(["str"] * 500), repr("|".join(["str"] * 500)), "list[" * 90 + "str" + "]" * 90],
)
def test_annotations_without_end(annotation: str) -> None:
    text = f"{APP}@app.route()\ndef f(req: {annotation}): pass\n"
    assert read(TextTree({"host.json": "{}", "function_app.py": text})).findings == ()
