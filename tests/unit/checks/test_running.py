from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azpack.app.functions import AppModel
from azpack.checks import running
from azpack.checks.running import check_tree
from azpack.checks.selection import Selection
from azpack.findings import Finding
from tests.unit.checks.subjects import package_of

if TYPE_CHECKING:
    from azpack.checks.rules import Subject

HOST = '{"version": "2.0", "nonsense": 1,\n "more": 2}'
OWN = ("AZP1", "AZP6")


def subject(files: dict[str, str], *findings: Finding) -> Subject:
    app = AppModel(models=frozenset(), functions=(), findings=findings)
    return package_of({"host.json": HOST, **files}, app=app, plan="premium")


def codes(files: dict[str, str], *findings: Finding, select: tuple[str, ...] = OWN) -> list[str]:
    selection = Selection(select=select)
    return [it.code for it in check_tree(subject(files, *findings), selection)]


def test_findings_are_sorted_by_place() -> None:
    of_app = Finding(code="AZP104", severity="error", message="none")
    of_file = Finding(code="AZP301", severity="error", message="x", path="b.py", line=7)
    earlier = Finding(code="AZP307", severity="error", message="x", path="b.py", line=3)
    found = check_tree(
        subject({"typing.py": "", "a/local.settings.json": ""}, of_file, of_app, earlier),
        Selection(select=(*OWN, "AZP3")),
    )
    assert [(it.path, it.line, it.code) for it in found] == [
        (None, None, "AZP104"),
        ("a/local.settings.json", None, "AZP601"),
        ("b.py", 3, "AZP307"),
        ("b.py", 7, "AZP301"),
        ("host.json", 1, "AZP114"),
        ("host.json", 2, "AZP114"),
        ("typing.py", None, "AZP106"),
    ]


@pytest.mark.parametrize(
    ("text", "ignored"),
    [
        ("", False),
        ("# azpack: ignore[AZP106]", True),
        ("#azpack:ignore[ azp106 ]", True),
        ("# azpack: ignore[AZP602, AZP106]", True),
        ("# azpack: ignore[AZP1]", True),
        ("# azpack: ignore[AZP602]", False),
        ("# azpack: ignore[]", False),
        ("# azpack: ignore", False),
        ("#!/usr/bin/python\n# -*- coding: utf-8 -*-\n\n# azpack: ignore[AZP106]\n", True),
        ("\ufeff# azpack: ignore[AZP106]", True),
        ("import os\n# azpack: ignore[AZP106]", False),
        ('"""Text."""\n# azpack: ignore[AZP106]', False),
        ("import os  # azpack: ignore[AZP106]", False),
    ],
)
def test_comments_for_a_file(text: str, ignored: bool) -> None:
    assert codes({"typing.py": text}, select=("AZP106",)) == ([] if ignored else ["AZP106"])


def test_comments_for_a_line() -> None:
    text = (
        "import os\n"
        "from . import a\n"
        "from . import b  # azpack: ignore[AZP107]\n"
        "from . import c  # noqa # azpack: ignore[AZP107]\n"
        "from . import d  # azpack: ignore[AZP106]\n"
    )
    found = check_tree(subject({"x.py": text}), Selection(select=("AZP107",)))
    assert [it.line for it in found] == [2, 5]


STATEMENT = "from . import (\n    a,{}\n    b,\n){}\n"
IN_TEXT = '"""\n# azpack: ignore[AZP107]\n"""'


@pytest.mark.parametrize(
    ("text", "ignored"),
    [
        (STATEMENT.format("", "  # azpack: ignore[AZP107]"), True),
        (STATEMENT.format("  # azpack: ignore[AZP107]", ""), False),
        ("from . import (  # azpack: ignore[AZP107]\n    a,\n)\n", True),
        ("from . import a  # AZPACK: Ignore [azp107]\n", True),
        ("'# azpack: ignore[AZP107]'; from . import a\n", False),
        (f"{IN_TEXT}; from . import a\n", False),
        (f"{IN_TEXT}\nfrom . import a\n", False),
        ("# azpack: ignore[AZP107]\rfrom . import a\r", True),
        ("x = '\f'\nfrom . import a  # azpack: ignore[AZP107]\n", True),
        ("x = '\u2028\x1c'\nfrom . import a  # azpack: ignore[AZP107]\n", True),
        ("from . import a  # azpack: ignore[AZP106,,AZP107,]\n", True),
        ("from . import a  # azpack: ignore[NOPE, AZP9]\n", False),
        ("if True:\n    from . import a\n    # azpack: ignore[AZP107]\n", False),
    ],
)
def test_comments_in_odd_places(text: str, ignored: bool) -> None:
    assert codes({"x.py": text}, select=("AZP107",)) == ([] if ignored else ["AZP107"])


@pytest.mark.parametrize("limit", ["_LARGEST_TOKENIZED", "_MOST_TOKENIZED"])
def test_large_files_are_taken_line_by_line(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    of_statement = STATEMENT.format("", "  # azpack: ignore[AZP107]")
    of_line = "from . import a  # azpack: ignore[AZP107]\n"
    assert codes({"x.py": of_statement + of_line}, select=("AZP107",)) == []
    monkeypatch.setattr(running, limit, 20)
    assert codes({"x.py": of_statement + of_line}, select=("AZP107",)) == ["AZP107"]


def test_no_cut_off_password_is_quoted() -> None:
    url = "https://user:running-pa55word@example.test/"
    before = "x" * (running._LONGEST_MESSAGE // 2 - 20)
    long = Finding(code="AZP104", severity="error", message=f"{before}{url}{'y' * 900}")
    (found,) = check_tree(subject({}, long), Selection(select=("AZP104",)))
    assert "running-pa55" not in found.message
    assert len(found.message) < 900


def test_comments_where_the_syntax_is_wrong() -> None:
    broken = Finding(code="AZP301", severity="error", message="x", path="x.py", line=2)
    text = "x = (\nfrom . import a  # azpack: ignore[AZP301]\n"
    assert codes({"x.py": text}, broken, select=("AZP301",)) == []
    assert codes({"x.py": "# azpack: ignore[AZP3]\n" + text}, broken, select=("AZP301",)) == []
    assert codes({"x.py": "x = (\ny\n"}, broken, select=("AZP301",)) == ["AZP301"]


def test_comments_count_in_python_alone() -> None:
    host = '// azpack: ignore[AZP114]\n# azpack: ignore[AZP114]\n{"version": "2.0", "x": 1}'
    assert codes({"host.json": host.replace("#", "//")}) == ["AZP114"]


def test_files_that_are_not_there() -> None:
    missing = Finding(code="AZP111", severity="error", message="x", path="f/missing.py", line=3)
    assert "AZP111" in codes({}, missing)


def test_all_is_selected_by_default() -> None:
    found = {it.code for it in check_tree(subject({"local.settings.json": ""}))}
    assert {"AZP114", "AZP601"} <= found


def test_no_more_of_a_rule_than_anybody_reads() -> None:
    many = [
        Finding(code="AZP301", severity="error", message="x", path=f"{at:04}.py")
        for at in range(1_234)
    ]
    found = check_tree(subject({}, *many), Selection(select=("AZP301",)))
    assert len(found) == 1_001
    assert (found[999].path, found[-1].severity) == ("0999.py", "error")
    assert found[-1].message == "234 more of these are not listed"


def test_messages_are_fit_for_a_terminal() -> None:
    odd = Finding(code="AZP301", severity="error", message="\x1b[31m" + "a" * 5_000 + "end")
    (found,) = check_tree(subject({}, odd), Selection(select=("AZP301",)))
    assert found.message.startswith("\\x1b[31maaa")
    assert found.message.endswith("aaaend")
    assert len(found.message) < 1_000
