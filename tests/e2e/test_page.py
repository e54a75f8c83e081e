"""The page of `azpack inspect --html` in a real browser: drawn, read, walked through, attacked."""

from __future__ import annotations

import socket
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.keys import Keys

from tests.objects import make_object
from tests.packages import APP, SITE, distribution, write_package

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser import Browser

NATIVE = {"one/_one.cpython-310-x86_64-linux-gnu.so": make_object()}
PWNED = "<script>window.pwned=1</script>"
HOSTILE = {
    f"{PWNED}.txt": b"1" * 900,
    "<img src=x onerror=window.pwned=1>.py": b"2" * 800,
    "</script><svg onload=window.pwned=1>/a.txt": b"3" * 700,
    "\"'`; &lt;i&gt; --><!--.json": b"4" * 600,
    "\u202egnp.exe": b"5" * 500,
    "שלום/עולם.txt": b"6" * 400,
    f"long/{'n' * 240}.txt": b"7" * 300,
}
LEAST_CONTRAST = 4.5  # WCAG 2.1, 1.4.3, level AA


def noise(size: int) -> bytes:
    """Bytes that do not get smaller, the same each time."""
    return b"".join(bytes([(n * n * 7 + n // 251 * 13) % 251]) for n in range(size))


@pytest.fixture(autouse=True)
def _as_it_is(browser: Browser) -> None:
    browser.emulate()


def make_page(package: Path) -> Path:
    page = package.with_name("page.html")
    command = [sys.executable, "-m", "azpack", "inspect", "--html", str(page), "--python=3.12"]
    done = subprocess.run([*command, str(package)], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return page


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three distributions with findings, and an app with a folder."""
    package = write_package(
        tmp_path_factory.mktemp("sample") / "sample.zip",
        APP,
        {"shared/a.py": noise(300), "shared/b.py": noise(100)},
        distribution("one", files={**NATIVE, "one/data.bin": noise(30_000)}),
        distribution("two", files={"two/x/a.bin": noise(9000), "two/y/b.bin": bytes(90_000)}),
        distribution("three", requires=[f"missing{index}" for index in range(12)]),
    )
    return make_page(package)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All names that a zip lets one choose, chosen to become markup."""
    name = f"{PWNED.replace('/', '_')}<img src=x onerror=window.pwned=1>.zip"
    package = tmp_path_factory.mktemp("hostile") / name
    parts = (APP, HOSTILE, distribution("<b onclick=x>two</b>", requires=["<i>missing"]))
    return make_page(write_package(package, *parts))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with 20,000 files, of which each folder has many."""
    package = tmp_path_factory.mktemp("large") / "large.zip"
    with zipfile.ZipFile(package, "w") as archive:
        for name, content in APP.items():
            archive.writestr(name, content)
        for index in range(20_000):
            path = f"{SITE}folder{index % 90}/inner{index % 7}/module_{index:05}.py"
            archive.writestr(path, b"#" * (index % 500))
    return make_page(package)


def cell_names(browser: Browser) -> list[str]:
    return [label.split(",")[0] for label in labels(browser)]


def labels(browser: Browser) -> list[str]:
    script = "return [...document.querySelectorAll('.cell')].map((it) => it.ariaLabel)"
    found: list[str] = browser.run(script)
    return found


def trail(browser: Browser) -> list[str]:
    return browser.texts("#trail li")


def focus_map(browser: Browser) -> None:
    for _ in range(30):
        browser.press(Keys.TAB)
        if "cell" in (browser.focused.get_attribute("class") or ""):
            return
    raise AssertionError("the treemap can't be reached by Tab")


def focused_name(browser: Browser) -> str:
    return (browser.focused.get_attribute("aria-label") or "").split(",")[0]


# What it shows.


def test_it_says_nothing_to_the_console_and_asks_for_nothing(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.all(".cell")[0].click()
    browser.wait_for_drawing()
    assert browser.messages() == []
    assert browser.requests() == [page.as_uri()]


def test_the_head(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.texts("h1") == ["sample.zip"]
    assert browser.texts("#verdict li") == ["13 errors"]
    figures = dict(
        zip(browser.texts("#figures dt"), browser.texts("#figures dt + dd"), strict=True)
    )
    assert figures["Functions"] == "1"
    assert figures["Distributions"] == "3"
    assert "of 1 GB, the most on this plan" in browser.texts("#figures")[0]
    assert browser.texts("#facts dd")[0].startswith("Functions 4, Python 3.12, glibc 2.36")
    assert browser.texts("#facts dd")[1] == "--python"


def test_the_findings_are_by_rule_with_place_hint_and_text(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.texts(".rule h3") == [
        "errorAZP503: native code for another machine or Python",
        "errorAZP509: a missing requirement of a distribution",
    ]
    (native, missing) = browser.texts(".rule")
    assert f"{SITE}one/_one.cpython-310-x86_64-linux-gnu.so" in native
    assert "docs/rules.md#azp503" in native
    assert "2 more" in missing
    assert missing.count("Hint: ") == 1  # the same for all


def test_the_functions(browser: Browser, page: Path) -> None:
    browser.open(page)
    (row,) = browser.texts("#functions tbody tr")
    assert row == "hellohttpTrigger/api/hello/{name}function_app.py:7v2"


# The treemap.


def test_cells_are_by_distribution_and_have_their_share(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert cell_names(browser)[:2] == ["one 1.0", "two 1.0"]
    assert set(cell_names(browser)) == {"one 1.0", "two 1.0", "three 1.0", "the app"}
    width, height = browser.run("const m = document.getElementById('map');"
                                "return [m.clientWidth, m.clientHeight]")  # fmt: skip
    areas = [cell.size["width"] * cell.size["height"] for cell in browser.all(".cell")]
    assert sum(areas) == pytest.approx(width * height, rel=0.01)
    assert areas == sorted(areas, reverse=True)


def test_packed_or_unpacked(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert " packed, " in labels(browser)[0]
    browser.run("document.querySelector('[name=measure]').focus()")
    browser.press(Keys.ARROW_RIGHT)
    assert cell_names(browser)[:2] == ["two 1.0", "one 1.0"]
    assert " unpacked, " in labels(browser)[0]


def test_walking_by_keyboard(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.press(Keys.TAB)
    assert browser.focused.text == "Skip to the content"
    assert browser.focused.rect["y"] >= 0
    browser.press(Keys.ENTER)
    assert browser.focused.get_attribute("id") == "main"

    focus_map(browser)
    first = browser.focused
    assert focused_name(browser) == "one 1.0"
    assert first.value_of_css_property("outline-style") == "solid"
    assert first.value_of_css_property("outline-width") == "3px"
    browser.press(Keys.ARROW_RIGHT)
    assert focused_name(browser) == "two 1.0"
    browser.press(Keys.ARROW_LEFT, Keys.END)
    assert focused_name(browser) == cell_names(browser)[-1]
    browser.press(Keys.HOME, Keys.ENTER)
    assert trail(browser) == ["sample.zip", "one 1.0"]
    assert focused_name(browser) == "one"
    browser.press(Keys.ENTER)
    assert trail(browser) == ["sample.zip", "one 1.0", "one"]
    assert focused_name(browser) == "data.bin"
    browser.press(Keys.ENTER)  # a file has nothing in it
    assert trail(browser) == ["sample.zip", "one 1.0", "one"]
    browser.press(Keys.ESCAPE)
    assert (trail(browser), focused_name(browser)) == (["sample.zip", "one 1.0"], "one")
    browser.press(Keys.BACKSPACE)
    assert (trail(browser), focused_name(browser)) == (["sample.zip"], "one 1.0")
    browser.press(Keys.ESCAPE)
    assert trail(browser) == ["sample.zip"]


def test_the_treemap_is_one_stop(browser: Browser, page: Path) -> None:
    browser.open(page)
    focus_map(browser)
    browser.press(Keys.ARROW_RIGHT, Keys.TAB)
    assert "cell" not in (browser.focused.get_attribute("class") or "")
    browser.tab_back()
    assert focused_name(browser) == "two 1.0"


def test_a_click_opens_and_the_trail_leads_back(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.all(".cell")[1].click()
    assert trail(browser) == ["sample.zip", "two 1.0"]
    assert set(cell_names(browser)) == {"two", "two-1.0.dist-info"}
    assert browser.texts("#said") == ["two 1.0: 2 items, 9.5 kB packed"]
    browser.all("#trail button")[0].click()
    assert trail(browser) == ["sample.zip"]


def test_the_table_says_what_the_treemap_shows(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.all("#listing summary")[0].click()
    browser.wait_for_drawing()
    assert browser.texts("#listing tbody th") == cell_names(browser)
    browser.all("#listing tbody button")[0].click()
    assert trail(browser) == ["sample.zip", "one 1.0"]
    assert browser.texts("#listing tbody th") == cell_names(browser)


def test_the_focus_outlives_another_width(browser: Browser, page: Path) -> None:
    browser.open(page)
    focus_map(browser)
    browser.press(Keys.ARROW_RIGHT)
    browser.resize(500)
    browser.wait_for_drawing()
    assert focused_name(browser) == "two 1.0"


@pytest.mark.parametrize(("wish", "moves"), [("no-preference", True), ("reduce", False)])
def test_motion_where_it_is_welcome(browser: Browser, page: Path, wish: str, moves: bool) -> None:
    browser.emulate(prefers_reduced_motion=wish)
    browser.open(page)
    script = "document.querySelector('.cell').click(); return document.getAnimations().length"
    assert bool(browser.run(script)) is moves


# Tables.


def test_sorting_a_table(browser: Browser, page: Path) -> None:
    browser.open(page)
    names = "#distributions tbody th"
    sorted_ = "#distributions [aria-sort]"
    assert browser.texts(names) == ["one", "two", "three"]
    assert browser.texts(sorted_) == ["Packed"]
    by_name, _, by_packed = browser.all("#distributions thead button")[:3]
    by_name.click()
    assert browser.texts(names) == ["one", "three", "two"]
    assert browser.texts(sorted_) == ["Distribution"]
    browser.run("arguments[0].focus()", by_packed)
    browser.press(Keys.ENTER, Keys.SPACE)
    assert browser.texts(names) == ["three", "two", "one"]
    assert browser.all(sorted_)[0].get_attribute("aria-sort") == "ascending"


# How it looks.


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(browser: Browser, page: Path, scheme: str) -> None:
    browser.emulate(prefers_color_scheme=scheme)
    browser.open(page)
    browser.run("for (const it of document.querySelectorAll('details')) it.open = true")
    browser.wait_for_drawing()
    ground = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(17, 22, 27)") is (scheme == "dark")
    found = browser.contrasts()
    assert len(found) > 100
    assert [row for row in found if row[0] < LEAST_CONTRAST] == []


@pytest.mark.parametrize("width", [360, 768, 1280, 1440])
@pytest.mark.parametrize("which", ["page", "hostile"])
def test_nothing_is_wider_than_the_window(
    browser: Browser, which: str, width: int, request: pytest.FixtureRequest
) -> None:
    browser.open(request.getfixturevalue(which), width=width)
    browser.run("for (const it of document.querySelectorAll('details')) it.open = true")
    browser.wait_for_drawing()
    assert browser.run("return document.documentElement.scrollWidth") == width


def test_print(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.emulate("print")
    hidden = ".skip, .sections, #measure, #keys"
    assert not any(element.is_displayed() for element in browser.all(hidden))
    assert all(element.is_displayed() for element in browser.all("h1, .cell, table, .rule"))


def test_the_parts_have_names(browser: Browser, page: Path) -> None:
    browser.open(page)
    tree = browser.command("Accessibility.getFullAXTree")["nodes"]
    named = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree}
    assert {
        ("main", ""), ("banner", ""), ("contentinfo", ""), ("navigation", "Sections"),
        ("navigation", "Folder shown"), ("region", "Findings 13"), ("region", "Sizes"),
        ("group", "Treemap of sizes: sample.zip"), ("radio", "packed"), ("table", "Distributions"),
    } <= named  # fmt: skip
    interactive = ("button", "link", "radio", "table", "region", "navigation")
    assert [role for role, name in named if role in interactive and not name] == []


# What is in a package can't act.


def test_hostile_names_are_text(browser: Browser, hostile: Path) -> None:
    browser.open(hostile)
    browser.all("#listing summary")[0].click()
    shown = set(cell_names(browser)) | set(browser.texts("#listing tbody th"))
    assert "<b onclick=x>two</b> 1.0" in shown
    (app,) = (cell for cell in browser.all(".cell") if cell.accessible_name.startswith("the app"))
    app.click()
    browser.wait_for_drawing()
    shown = set(browser.texts("#listing tbody th"))
    assert {"\\u202egnp.exe", "<img src=x onerror=window.pwned=1>.py"} <= shown
    assert browser.run("return window.pwned") is None
    assert browser.run("return document.scripts.length") == 2
    injected = "img, svg, iframe, object, embed, link, i, [onclick], [onerror], [onload]"
    assert browser.all(injected) == []
    assert browser.messages() == []
    assert browser.requests() == [hostile.as_uri()]


def test_the_policy_stops_what_would_get_in(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run(
        "const script = document.createElement('script');"
        "try { script.textContent = 'window.pwned = 1'; document.body.append(script); } catch {}"
        "try { document.body.innerHTML += '<img src=x onerror=\"window.pwned = 1\">'; } catch {}"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        browser.run("new Image().src = arguments[0]; fetch(arguments[0]).catch(() => {})", url)
        browser.wait_for_drawing()
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()
    assert browser.run("return window.pwned") is None
    assert len(browser.messages()) >= 3


# No files, and many.


def test_an_empty_package(browser: Browser, tmp_path: Path) -> None:
    browser.open(make_page(write_package(tmp_path / "empty.zip")))
    assert browser.messages() == []
    assert browser.texts("#sizes > *") == ["Sizes", "There is no file in the package."]
    assert browser.texts("#largest .note") == ["There is none in the package."]


def test_empty_files(browser: Browser, tmp_path: Path) -> None:
    files = {"host.json": b"", **{f"a/{index}.py": b"" for index in range(40)}}
    browser.open(make_page(write_package(tmp_path / "zeros.zip", files)))
    focus_map(browser)
    browser.press(Keys.ENTER, Keys.HOME, Keys.ENTER)
    assert trail(browser) == ["zeros.zip", "the app", "a"]
    assert len(browser.all(".cell")) == 40
    assert browser.messages() == []


def test_a_package_with_20_000_files(browser: Browser, large: Path) -> None:
    assert large.stat().st_size < 3_000_000
    browser.open(large)
    assert browser.messages() == []
    assert browser.texts("#figures dt + dd")[2] == "20,002"
    assert browser.run("return document.querySelectorAll('*').length") < 8000
    focus_map(browser)
    browser.press(Keys.ENTER)
    assert trail(browser) == ["large.zip", "loose files"]
    assert len(browser.all(".cell")) == 90
    browser.press(Keys.ENTER, Keys.ENTER)
    assert any("smaller file" in label for label in labels(browser))
    assert browser.run("return document.querySelectorAll('*').length") < 8000
