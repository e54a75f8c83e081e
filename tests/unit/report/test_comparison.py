from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azpack.package.changes import Comparison, FileChange, ValueChange
from azpack.package.inspection import PackedEntry
from azpack.report.comparison import comparison_lines, comparison_sections, summary
from tests.comparisons import comparison_of, package

NOTES = (
    "plan, mode and app settings are not compared: no manifest is beside both",
    "the Python is not known of both",
    "no host.json can be read in both",
    "functions that are made when the app runs are not compared: the new one",
    "odd entries, such as links, are compared by their number alone: the new one",
)
SAME = Comparison(old=package(), new=package("new.zip"))


def entry(path: str, mode: int = 0o644, size: int = 1200) -> PackedEntry:
    return PackedEntry(path=path, size=size, compressed_size=3, crc=1, mode=mode, distribution=None)


@given(
    names=st.lists(st.text(min_size=1, max_size=200), max_size=6),
    copies=st.integers(min_value=1, max_value=20),
    notes=st.sets(st.sampled_from(NOTES)),
)
def test_it_fits_a_screen(names: list[str], copies: int, notes: set[str]) -> None:
    lines = comparison_lines(comparison_of(names * copies, unknown=sorted(notes)))
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert all(line.isprintable() for line in lines)


@given(names=st.lists(st.text(min_size=1, max_size=200), unique=True, max_size=60))
def test_the_whole_has_every_name_in_full(names: list[str]) -> None:
    text = "\n".join(comparison_lines(comparison_of(names), whole=True))
    for name in names:
        escaped = "".join(it if it.isprintable() else repr(it)[1:-1] for it in name)
        assert text.count(escaped) >= 6
    assert "shown" not in text


def test_what_is_left_out_is_said() -> None:
    lines = comparison_lines(comparison_of([f"name{number}" for number in range(50)]))
    assert "distributions: 17 added, 17 removed, 16 changed; 2 of 50 shown" in lines
    assert lines[-1] == "-v lists all, and --json tells more"


def test_short_lists_leave_their_room_to_others() -> None:
    found = Comparison(
        old=package(),
        new=package("new.zip"),
        target=(ValueChange(name="Python", old="3.11", new="3.12"),),
        files=comparison_of([f"file{number}.py" for number in range(50)]).files,
    )
    lines = comparison_lines(found)
    assert len(lines) == 22
    assert "files of the app: 17 added, 17 removed, 16 changed; 14 of 50 shown" in lines
    assert "  ~  Python: 3.11 -> 3.12" in lines


def test_a_few_changes() -> None:
    old = package(size=1_000_000, entries=280)
    new = package("new.zip", size=1_250_000, entries=281)
    found = Comparison(
        old=old,
        new=new,
        files=(
            FileChange(
                path="a.py", change="changed", distribution=None, old=entry("a.py"),
                new=entry("a.py", size=1300),
            ),
            FileChange(path="b.sh", change="changed", distribution=None, old=entry("b.sh"),
                       new=entry("b.sh", 0o755), mode_alone=True),
            FileChange(path="s/c.py", change="added", distribution="one", old=None,
                       new=entry("s/c.py")),
        ),
    )  # fmt: skip
    assert comparison_lines(found) == [
        "old       dist/old.zip",
        "new       dist/new.zip",
        "packed    1.0 MB -> 1.2 MB (+250 kB); 280 -> 281 entries",
        "unpacked  3.0 MB -> 3.8 MB (+750 kB)",
        "files of the app: 2 changed",
        "  ~  a.py  1.2 kB -> 1.3 kB",
        "  ~  b.sh  mode 644 -> 755",
    ]
    assert comparison_lines(found, whole=True)[-2:] == [
        "files of distributions:",
        "  +  s/c.py  1.2 kB",
    ]


def test_a_distribution_and_a_function() -> None:
    found = comparison_of(["x", "y", "z"])
    sections = {section.noun: section for section in comparison_sections(found)}
    assert sections["distribution"].rows == (
        ("added", "x", "x", "+3 B", "+1 -2 ~3 files"),
        ("removed", "y", "y", "-3 B", "+1 -2 ~3 files"),
        ("changed", "z", "z (same version)", "+0 B", "+1 -2 ~3 files"),
    )
    moved = replace(found.distributions[2], files_added=0, files_removed=0, files_changed=0)
    (section,) = comparison_sections(replace(SAME, distributions=(moved,)))
    assert section.rows == (("changed", "z", "z (same version)", "+0 B", ""),)
    assert sections["function"].rows[0] == ("changed", "x", "x: x -> nothing")
    unnamed = replace(found.functions[0], name=None, change="added", route=None, values=())
    (section,) = comparison_sections(replace(SAME, functions=(unnamed,)))
    assert section.rows == (("added", "(its name is made when it runs)", "x, x"),)


@pytest.mark.parametrize(
    ("repacked", "text"),
    [
        (None, "the same bytes"),
        ((), "the same content"),
        (("compression",), "the same content; the zips differ in compression"),
        (
            ("the order of entries", "their times", "compression"),
            (
                "the same content; the zips differ in the order of entries, their times "
                "and compression"
            ),
        ),
    ],
)
def test_the_same_content(repacked: tuple[str, ...] | None, text: str) -> None:
    found = replace(SAME, repacked=repacked)
    assert summary(found) == text
    assert " ".join(line.strip() for line in comparison_lines(found)[4:]) == text
    assert max(map(len, comparison_lines(found))) <= 80
    changed = replace(found, target=(ValueChange(name="plan", old="flex", new="premium"),))
    assert summary(changed) == f"{text}; 1 setting changed"


def test_the_summary_counts() -> None:
    assert summary(comparison_of(["x", "y"])) == (
        "6 settings, 2 functions, 2 distributions, 2 files of the app and 2 kinds of odd entries "
        "changed"
    )
    found = comparison_of(["x"], values=False)
    assert "1 distribution, 1 file of the app and 1 kind of odd entries" in summary(found)
    # That findings are others is told in their list.
    found = replace(SAME, new_findings=found.new_findings)
    assert summary(found) == "the same content"
    assert "findings: 1 new" in comparison_lines(found)
