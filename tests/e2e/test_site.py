"""The pages of the documentation as they are built: read as files, on a desk and on a phone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from selenium.webdriver.common.keys import Keys

from tests.documentation import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser import Browser

DOCS = ROOT / "docs"
NAMES = sorted(page.stem for page in DOCS.glob("*.md"))
WIDTHS = (1280, 390)
WIDER = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
# The search is drawn in a shadow tree.
RESULTS = """
const trees = [...document.querySelectorAll("*")].map((it) => it.shadowRoot).filter(Boolean);
return trees.map((it) => it.textContent).join(" ");
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pages, built as `make docs` builds them."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(DOCS, folder / "docs")
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--clean", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "site"


def pages_in(navigation: object) -> Iterator[str]:
    if isinstance(navigation, str):
        yield navigation
    else:
        inner = navigation.values() if isinstance(navigation, dict) else navigation
        for item in inner:  # type: ignore[attr-defined]
            yield from pages_in(item)


def test_every_page_is_built_and_in_the_navigation(site: Path) -> None:
    assert {page.stem for page in site.glob("*.html")} == {*NAMES, "404"}
    configured = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(pages_in(configured["nav"])) == [f"{name}.md" for name in NAMES]


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_their_window_and_need_no_network(
    site: Path, browser: Browser, width: int
) -> None:
    for name in NAMES:
        browser.open(site / f"{name}.html", width=width)
        assert browser.run(WIDER) <= 0, name
        assert [url for url in browser.requests() if not url.startswith(("file:", "data:"))] == []
        assert browser.messages() == []


def test_the_search_works_in_pages_read_as_files(site: Path, browser: Browser) -> None:
    browser.open(site / "index.html")
    browser.press("/", *"manylinux")
    assert wait_for(browser, RESULTS, "results")
    browser.press(Keys.ENTER)
    assert wait_for(browser, "return location.pathname + location.search", "?h=manylinux")


def wait_for(browser: Browser, script: str, text: str) -> bool:
    """Whether what the script returns soon has the text in it."""
    for _ in range(1000):
        if text in browser.run(script):
            return True
        browser.wait_for_drawing()
    return False
