"""The page: whole in itself, small, the same each time, and deaf to what names say."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azpack.app.functions import Binding, Function
from azpack.checks.rules import load_rules
from azpack.findings import Finding
from azpack.package.inspection import PackedDistribution, PackedEntry, inspect_package
from azpack.report.page import inspection_page
from tests.packages import APP, distribution, inspect

if TYPE_CHECKING:
    from pathlib import Path

    from azpack.package.inspection import Inspection

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "<img src=x onerror=alert(1)>",
    "]]>&lt;b&gt;\"'`$title ${title}",
    "a\u2028b\u2029c",
]


class Page(HTMLParser):
    """A page as browsers read it: its elements, their attributes, and the text in some."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: dict[str, list[str]] = {}
        self._open = ""
        self.feed(content.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._open = tag
        if tag in ("script", "style", "title", "bdi"):
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = "" if tag == self._open else self._open

    def handle_data(self, data: str) -> None:
        if self._open in self.texts:
            self.texts[self._open][-1] += data

    @property
    def data(self) -> Any:
        return json.loads(self.texts["script"][0])

    @property
    def policy(self) -> str:
        (policy,) = (
            value
            for name, value in self.attributes
            if name == "content" and value and "default-src" in value
        )
        return policy


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    folder = tmp_path_factory.mktemp("packages")
    return inspect(folder, APP, distribution("one", requires=["two"]), python="3.12")


def named_everywhere(sample: Inspection, name: str) -> Inspection:
    """A package of which everything has this name."""
    finding = Finding(
        code="AZP101", severity="error", message=name, path=name, line=1, hint=name
    )  # fmt: skip
    trigger = Binding(name=name, type=f"{name}Trigger", direction="in")
    function = Function(name=name, model="v2", script=name, line=1, bindings=(trigger,))
    file = PackedEntry(
        path=name, size=1, compressed_size=1, crc=0, mode=0, distribution=name
    )  # fmt: skip
    owner = PackedDistribution(
        name=name, version=name, size=1, compressed_size=1, files=1, native=False
    )  # fmt: skip
    folder = sample.package.path.parent
    path = folder / (name.replace("/", "_").replace("\0", "_") or "_")
    return replace(
        sample,
        package=replace(sample.package, path=path),
        grounds=name,
        app=replace(sample.app, functions=(function,), unknown=(name,)),
        routes=(name,),
        distributions=(owner,),
        files=(file,),
        findings=(finding,),
    )


def test_what_it_holds(sample: Inspection) -> None:
    page = Page(inspection_page(sample))
    data = page.data
    assert page.texts["bdi"] == ["app.zip"]
    assert page.texts["title"] == ["app.zip - azpack inspect"]
    assert data["package"]["path"] == "app.zip"
    assert data["package"]["size"] == sample.package.size
    assert data["limits"] == {"packed": {"size": 1 << 30, "text": "1 GB"}, "unpacked": None}
    assert data["target"]["python"] == "3.12"
    assert data["target"]["grounds"] == "--python"
    (function,) = data["functions"]
    assert function["route"] == "/api/hello/{name}"
    assert (function["script"], function["trigger"]) == ("function_app.py", "httpTrigger")
    assert [row["name"] for row in data["distributions"]] == ["one"]
    assert [row["code"] for row in data["findings"]] == ["AZP509"]
    assert data["rules"] == {
        "AZP509": {
            "title": load_rules()["AZP509"].title,
            "text": load_rules()["AZP509"].text,
            "mend": load_rules()["AZP509"].mend,
        }
    }
    assert data["counts"] == {
        "functions": 1, "distributions": 1, "native": 0, "error": 1, "warning": 0, "info": 0
    }  # fmt: skip
    assert [row["path"] for row in data["largest"]] == [file.path for file in sample.largest()]


def test_the_limits_of_the_consumption_plan(sample: Inspection) -> None:
    target = replace(sample.target, plan="consumption")
    room = {"size": 500 << 20, "text": "500 MB"}
    assert Page(inspection_page(replace(sample, target=target))).data["limits"] == {
        "packed": room,
        "unpacked": room,
    }


def test_the_policy_allows_its_own_script_and_style_alone(sample: Inspection) -> None:
    page = Page(inspection_page(sample))
    directives = dict(part.split(" ", 1) for part in page.policy.split("; "))

    def allowed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == allowed(page.texts["script"][1])
    assert directives["style-src"] == allowed(page.texts["style"][0])
    assert len(page.texts["script"]) == 2
    assert len(page.texts["style"]) == 1


def test_it_refers_to_nothing_outside(sample: Inspection) -> None:
    content = inspection_page(sample)
    page = Page(content)
    assert {"link", "img", "iframe", "base", "object"}.isdisjoint(page.tags)
    assert all(value.startswith("#") for name, value in page.attributes if name == "href" and value)
    assert not [name for name, _ in page.attributes if name in ("src", "style", "srcset")]
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    for word in (b"http:", b"https:", b"@import", b"url(", b"innerHTML", b"eval("):
        assert word not in content


def test_the_same_bytes_wherever_the_package_is(sample: Inspection, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "app.zip"
    copy.parent.mkdir()
    shutil.copy(sample.package.path, copy)
    first = inspection_page(inspect_package(sample.package.path))
    assert inspection_page(inspect_package(copy)) == first
    assert str(sample.package.path.parent).encode() not in first


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(sample: Inspection, name: str) -> None:
    page = Page(inspection_page(named_everywhere(sample, name)))
    shown = name.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    assert page.data["functions"][0]["name"] == shown
    assert page.texts["bdi"] == [shown.replace("/", "_")]
    assert page.tags == Page(inspection_page(sample)).tags
    assert not {"<", ">", "&", "\u2028", "\u2029"} & set(page.texts["script"][0])


@given(st.text(max_size=40))
def test_no_name_becomes_markup(sample: Inspection, name: str) -> None:
    page = Page(inspection_page(named_everywhere(sample, name)))
    assert page.tags == Page(inspection_page(sample)).tags
    (row,) = page.data["distributions"]
    assert row["name"] == page.data["findings"][0]["message"] == page.data["target"]["grounds"]
    if name.isascii() and name.isprintable():
        assert row["name"] == name


@pytest.mark.parametrize("char", ["\u202e", "\u2066", "\u200f", "\0", "\x1b", "\ud800"])
def test_what_hides_or_reorders_is_escaped(sample: Inspection, char: str) -> None:
    page = Page(inspection_page(named_everywhere(sample, f"a{char}b")))
    name = page.data["functions"][0]["name"]
    assert char not in name
    assert name.startswith("a\\")
    assert name.endswith("b")


def test_no_password_is_in_it(sample: Inspection) -> None:
    secret = "page-t0ken-77aa"
    text = f"it lists git+https://user:{secret}@example.test/x"
    finding = Finding(code="AZP405", severity="error", message=text, path="a", hint=text)
    hidden = replace(sample, findings=(finding,), app=replace(sample.app, unknown=(text,)))
    content = inspection_page(hidden)
    assert secret.encode() not in content
    assert Page(content).data["findings"][0]["hint"].endswith("https://****@example.test/x")


def test_a_large_package_gives_a_small_page(sample: Inspection) -> None:
    def files(index: int) -> PackedEntry:
        path = f"folder{index % 997}/{'inner/' * (index % 5)}{index:06}{'n' * 200}.py"
        return PackedEntry(
            path=path, size=index, compressed_size=index // 3, crc=0, mode=0, distribution=None
        )  # fmt: skip

    def finding(index: int) -> Finding:
        return Finding(
            code="AZP602" if index % 2 else "AZP505",
            severity="warning" if index % 2 else "error",
            message="m" * 5000,
            path=f"p{index}",
        )

    (row,) = sample.distributions
    large = replace(
        sample,
        files=tuple(files(index) for index in range(25_000)),
        findings=tuple(finding(index) for index in range(4000)),
        distributions=(row,) * 5000,
    )
    content = inspection_page(large)
    assert len(content) < 3_000_000
    data = Page(content).data
    assert data["counts"]["error"] == data["counts"]["warning"] == 2000
    assert data["counts"]["distributions"] == 5000
    assert len(data["distributions"]) == len(data["findings"]) == 1000
    assert {row["severity"] for row in data["findings"]} == {"error"}  # the worst ones first
    assert max(len(row["message"]) for row in data["findings"]) == 500
