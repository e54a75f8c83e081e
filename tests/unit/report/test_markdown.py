"""The Markdown is read by GitHub's own parser: what it makes of a name must be that name."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from hypothesis import example, given
from hypothesis import strategies as st

from azpack.package.changes import Comparison, ValueChange
from azpack.report.markdown import comparison_markdown
from tests.comparisons import comparison_of, package

TAGS = {
    "h3", "p", "strong", "em", "code", "span", "table", "thead", "tbody", "tr", "th", "td",
    "details", "summary",
}  # fmt: skip
HOSTILE = (
    "a|b", "`|`", "\\|", "<script>alert(1)</script>", "</code></td></table>", "&lt;b&gt;", "&#124;",
    "![x](https://evil.example/x.png)", "[x](javascript:alert(1))", "https://evil.example/a",
    "www.evil.example", "someone@evil.example", "@org/team", "#1", "org/repo#1", "GH-1", ":tada:",
    "__init__.py", "*a*", "~~a~~", "$x$", "<!-- ", "-->", "```", "</details>", "\n\n# title\n",
    "\r| a |", "\u202egnp.exe", "\u2028", "<details>", "a" * 40, "| --- |", "~", "=1+1", "\\",
)  # fmt: skip
GITHUB_COMMENT = 65_536


class Cells(HTMLParser):
    """The cells of tables, and all tags and attributes that there are."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.summaries = 0
        self._within: list[str] = []
        self.feed(html)
        self.close()
        assert self._within == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._within.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._within.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_data(self, data: str) -> None:
        if "td" in self._within:
            self.cells[-1] += data


def rendered(comparison: Comparison) -> Cells:
    lines = comparison_markdown(comparison)
    assert all(line.isprintable() for line in lines)
    text = "\n".join(lines)
    assert len(text) < GITHUB_COMMENT
    html = cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE)
    return Cells(html)


def shown(name: str) -> str:
    return "".join(it if it.isprintable() else repr(it)[1:-1] for it in name)


@given(st.lists(st.text(min_size=1, max_size=16) | st.sampled_from(HOSTILE), max_size=4))
@example(list(HOSTILE[:8]))
@example(list(HOSTILE[8:16]))
@example(list(HOSTILE[16:24]))
@example(list(HOSTILE[24:]))
def test_names_are_names_and_nothing_else(names: list[str]) -> None:
    found = rendered(comparison_of(names))
    assert found.tags <= TAGS
    assert found.attributes == set()
    for name in names:
        # As an added, a changed and a removed setting, and so on; HTML folds blanks at the ends.
        assert sum(cell.strip() == shown(name).strip() for cell in found.cells) >= 6


@pytest.mark.parametrize("name", HOSTILE)
def test_the_names_of_the_zips_too(name: str) -> None:
    name = name.replace("/", "-")
    found = rendered(Comparison(old=package(name), new=package(f"{name}.zip")))
    assert found.tags <= TAGS
    assert found.attributes == set()


@pytest.mark.parametrize("name", ["n{}", "\U0001f680{}" * 50, "|{}" * 900])
def test_a_comment_has_room_for_it(name: str) -> None:
    found = rendered(comparison_of([name.replace("{}", f"{number}") for number in range(3000)]))
    assert "details" in found.tags
    text = "\n".join(comparison_markdown(comparison_of([name] * 3000)))
    assert text.count("more, which `azpack diff -v` lists") == 6
    assert text.count("<details>") == text.count("</details>") == 6


def test_long_lists_are_folded_up() -> None:
    found = Comparison(
        old=package(),
        new=package("new.zip"),
        target=tuple(ValueChange(name=f"x{number}", old="1", new="2") for number in range(11)),
    )
    lines = comparison_markdown(found)
    assert "<details><summary>settings: 11 changed</summary>" in lines
    lines = comparison_markdown(replace(found, target=found.target[1:]))
    assert "**settings: 10 changed**" in lines


def test_a_few_changes() -> None:
    found = Comparison(
        old=package(entries=9),
        new=package("new_1.zip", size=900_000, entries=8),
        target=(ValueChange(name="Python", old="3.11", new="3.12"),),
        unknown=("the Python is not known of both",),
    )
    assert comparison_markdown(found) == [
        "### <code>old.zip</code> to <code>new&#95;1.zip</code>",
        "",
        "**the same content&#59; 1 setting changed**",
        "",
        "|  | old | new | change |",
        "| --- | --- | --- | --- |",
        "| packed | 1.0 MB | 900 kB | -100 kB |",
        "| unpacked | 3.0 MB | 2.7 MB | -300 kB |",
        "| entries | 9 | 8 | -1 |",
        "",
        "**settings: 1 changed**",
        "",
        "| change | setting | value |",
        "| --- | --- | --- |",
        "| changed | <code>Python</code> | <code>3.11 -&#62; 3.12</code> |",
        "",
        "_the Python is not known of both_",
    ]
