"""The expected readings are those of the tools' own sources: see the module that is tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azpack.checks import ignore_readers
from azpack.checks.ignore_readers import core_tools_reader, github_action_reader, vs_code_reader
from tests.unit.checks.subjects import codes, found, package_of, project_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "left_out", "kept"),
    [
        (".venv", [".venv/lib/x.py", ".venv"], ["sub/.venv/x.py", ".venv2/x"]),
        (".venv/", [".venv/lib/x.py"], ["sub/.venv/x.py"]),
        ("/docs", ["docs/a.md"], ["sub/docs/a.md"]),
        ("test", ["test/a.py", "test.py", "test-data/x"], ["tests/a.py", "testing.py"]),
        ("*.pyc", ["a.pyc"], ["sub/a.pyc", ".pyc"]),
        ("**/a.txt", ["sub/a.txt", "x/y/a.txt"], ["a.txt"]),
        ("__pycache__", ["__pycache__/a.pyc"], ["sub/__pycache__/a.pyc"]),
        ("a?.txt", ["a?.txt"], ["ab.txt"]),
        ("draft[0-9].txt", ["draft[0-9].txt"], ["draft1.txt"]),
        ("*.log\n!keep.log", ["a.log"], ["keep.log"]),
        ("!keep.log\n*.log", ["a.log"], ["keep.log"]),
        ("# a\n  \n b ", ["b"], ["a", "# a"]),
    ],
)
def test_core_tools(text: str, left_out: list[str], kept: list[str]) -> None:
    reads = core_tools_reader(line.strip() for line in text.split("\n"))
    assert [path for path in [*left_out, *kept] if reads(path)] == left_out


@pytest.mark.parametrize(
    ("text", "left_out", "kept"),
    [
        ("docs", ["Docs/a.md", "sub/docs/a.md"], ["doc"]),
        ("*.MD", ["a.md", "sub/A.Md"], ["a.mdx"]),
        ("*.log\n!keep.log", ["a.log"], ["keep.log"]),
        ("!keep.log\n*.log", ["a.log", "keep.log"], []),
        ("a/\n!a/b", ["a/b"], ["b"]),
    ],
)
def test_github_action(text: str, left_out: list[str], kept: list[str]) -> None:
    reads = github_action_reader(text)
    assert [path for path in [*left_out, *kept] if reads(path)] == left_out


@pytest.mark.parametrize(
    ("text", "left_out", "kept"),
    [
        ("docs", ["docs/a.md", "docs"], ["sub/docs/a.md", "docs2"]),
        ("docs/", [], ["docs/a.md"]),
        ("/docs", [], ["docs/a.md"]),
        ("*.md", ["a.md"], ["sub/a.md"]),
        ("**/*.md\n**/__pycache__", ["a.md", "sub/a.md", "a/__pycache__/b"], ["a.mdx"]),
        ("a**b", ["a/x/b", "ab"], ["b"]),
        ("draft[0-9].tx?", ["draft1.txt"], ["drafta.txt", "draft1.tx/"]),
        ("draft[!0-9].txt", ["drafta.txt"], ["draft1.txt"]),
        ("*.log\n!keep.log", ["a.log", "keep.log"], []),
        ("# x\n", [], ["# x", "x"]),
    ],
)
def test_vs_code(text: str, left_out: list[str], kept: list[str]) -> None:
    reads = vs_code_reader(line.strip() for line in text.split("\n"))
    assert [path for path in [*left_out, *kept] if reads(path)] == left_out


FILES = {"host.json": "{}", "a.log": "", "sub/b.log": "", "keep.log": "", "docs/x.md": ""}


def test_where_tools_differ(tmp_path: Path) -> None:
    subject = project_of(tmp_path, {**FILES, ".funcignore": "*.log\n!keep.log\ndocs/\n"})
    findings = found(ignore_readers.check, subject)
    assert {(it.code, it.severity, it.path) for it in findings} == {
        ("AZP110", "info", ".funcignore")
    }
    assert [it.message for it in findings] == [
        (
            "Core Tools (func) reads .funcignore otherwise: it would publish sub/b.log, which it "
            "tells to leave out"
        ),
        (
            "VS Code reads .funcignore otherwise: it would publish docs/x.md, sub/b.log, which it "
            "tells to leave out and would leave out keep.log, which it does not"
        ),
    ]


def test_where_they_agree(tmp_path: Path) -> None:
    subject = project_of(tmp_path, {**FILES, ".funcignore": "# notes\ndocs\na.log\n.venv\n"})
    assert codes(ignore_readers.check, subject) == []


def test_where_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert codes(ignore_readers.check, project_of(tmp_path, FILES)) == []
    assert codes(ignore_readers.check, package_of({".funcignore": "x"})) == []


def test_long_lists_are_cut(tmp_path: Path) -> None:
    files = {f"d/e{number:02}/f.log": "" for number in range(90)}
    subject = project_of(tmp_path, {**files, "d/x.py": "", ".funcignore": "*.log\nd/e0*/\n"})
    core_tools, *_ = found(ignore_readers.check, subject)
    assert "d/e10/f.log, d/e11/f.log, d/e12/f.log and " in core_tools.message
