from __future__ import annotations

import pytest

from azpack.checks.selection import Selection, parse_codes
from azpack.errors import UsageError
from azpack.findings import Finding


def finding(code: str, path: str | None = None) -> Finding:
    return Finding(code=code, severity="error", message="x", path=path)


@pytest.mark.parametrize(
    ("select", "ignore", "chosen"),
    [
        ((), (), {"AZP101", "AZP601", "AZP602"}),
        (("AZP6",), (), {"AZP601", "AZP602"}),
        ((), ("AZP6",), {"AZP101"}),
        (("AZP6",), ("AZP601",), {"AZP602"}),
        (("AZP601",), ("AZP6",), {"AZP601"}),
        (("AZP601",), ("AZP601",), set()),
        (("AZP",), ("AZP",), set()),
        ((), ("AZP",), set()),
        (("AZP101", "AZP602"), (), {"AZP101", "AZP602"}),
    ],
)
def test_the_longest_one_decides(
    select: tuple[str, ...], ignore: tuple[str, ...], chosen: set[str]
) -> None:
    selection = Selection(select=select, ignore=ignore)
    assert {code for code in ("AZP101", "AZP601", "AZP602") if selection.chooses(code)} == chosen


@pytest.mark.parametrize(
    ("pattern", "ignored"),
    [
        ("tools/", {"tools/a.py", "x/tools/b.py"}),
        ("/tools/", {"tools/a.py"}),
        ("tools", {"tools/a.py", "x/tools/b.py"}),
        ("*.py", {"tools/a.py", "x/tools/b.py", "c.py"}),
        ("x/**/b.py", {"x/tools/b.py"}),
        ("!c.py", {"c.py"}),  # as in a .gitignore it would be kept; here it is but a match
    ],
)
def test_files(pattern: str, ignored: set[str]) -> None:
    selection = Selection(per_file_ignores={pattern: ("AZP4",)})
    paths = ("tools/a.py", "x/tools/b.py", "c.py")
    found = [finding("AZP403", path) for path in paths]
    others = [finding("AZP403"), finding("AZP602", "tools/a.py")]
    left = selection.filter([*found, *others])
    assert left[-2:] == others
    assert {it.path for it in found if it not in left} == ignored


def test_settings() -> None:
    selection = Selection.from_settings(
        {
            "select": ("azp1, AZP602",),
            "ignore": ("AZP110",),
            "per-file-ignores": {"a.py": ("AZP106",)},
            "plan": "flex",
        }
    )
    assert selection == Selection(
        select=("AZP1", "AZP602"), ignore=("AZP110",), per_file_ignores={"a.py": ("AZP106",)}
    )
    assert Selection.from_settings({}) == Selection()


@pytest.mark.parametrize("code", ["AZP999", "E501", "AZP1O6", "106"])
def test_codes_that_are_none(code: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_codes([f"AZP101,{code}"], "--select")
    assert caught.value.code == "unknown-rule"
    assert code in caught.value.message
    assert "docs/rules.md" in caught.value.hint
    with pytest.raises(UsageError):
        Selection.from_settings({"per-file-ignores": {"a.py": (code,)}})
