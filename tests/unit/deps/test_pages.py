from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
import requests
from packaging.version import Version

from azpack.deps import pages
from azpack.deps.index import IndexSettings
from azpack.deps.pages import ListedFile, fetch_page, find_files, named, project_page, version_of
from azpack.deps.session import describe_failure

if TYPE_CHECKING:
    from pathlib import Path

WHEEL, SDIST = "a_b-1.0-py3-none-any.whl", "a-b-1.0.tar.gz"
HTML = f"""
<a href="../../files/{WHEEL}#sha256=ab12" data-yanked>{WHEEL}</a>
<a href="{SDIST}#md5=cd34&amp;egg=a" data-yanked="it breaks"
   data-requires-python="&gt;=3.8,&lt;4">{SDIST}</a>
<a href="a_b-2.0-py3-none-any.whl" data-requires-python="">new</a>
<a href="//[bad/a-b-3.0.tar.gz">no URL</a>
<a href="b-1.0.tar.gz">another name</a>
"""
ROWS: list[object] = [
    {"filename": WHEEL, "url": f"../../files/{WHEEL}", "hashes": {"sha256": "AB12"},
     "yanked": True},
    {"filename": SDIST, "url": f"{SDIST}#x", "hashes": {"md5": "cd34"}, "yanked": "it breaks",
     "requires-python": ">=3.8,<4"},
    {"filename": "a_b-2.0-py3-none-any.whl", "url": "a_b-2.0-py3-none-any.whl", "yanked": False,
     "requires-python": None},
    {"filename": "b-1.0.tar.gz", "url": "b-1.0.tar.gz"},
    *({"filename": SDIST, "url": 3}, {"filename": SDIST}, {}, "x", {"url": "a-b-3.0.tar.gz"}),
]  # fmt: skip


def listed(base: str) -> list[ListedFile]:
    """What both list; `base` is where their page is."""
    files = [
        ListedFile(filename=WHEEL, url=f"files/{WHEEL}", hash="sha256:ab12", yanked=True),
        ListedFile(filename=SDIST, url=f"simple/a-b/{SDIST}", hash="md5:cd34", yanked=True,
                   requires_python=">=3.8,<4"),
        ListedFile(filename="a_b-2.0-py3-none-any.whl",
                   url="simple/a-b/a_b-2.0-py3-none-any.whl"),
    ]  # fmt: skip
    return [replace(file, url=base + file.url) for file in files]


JSON = "application/vnd.pypi.simple.v1+json"
LISTED = listed("https://x.example/")
HOSTILE = [
    ("not json", JSON), (json.dumps({"files": 3}), JSON), ("[" * 200_000, JSON),
    (json.dumps({"files": ["x"]}), JSON), (f'{{"files": {"1" * 5000}}}', JSON),
    ("<![foo[bar]]>", "text/html"),
    (f'<a href="a_b-{"1" * 5000}-py3-none-any.whl">', "text/html"),
    (f'<a href="a_b-1.0-{"1" * 5000}-py3-none-any.whl">', "text/html"),
]  # fmt: skip


def answer(monkeypatch: pytest.MonkeyPatch, content: str, kind: str) -> None:
    """Have the page of a-b be this."""

    def get(_: requests.Session, url: str, **__: Any) -> requests.Response:
        response = requests.Response()
        response.status_code = 200
        response.url = url
        response.raw = BytesIO(content.encode())
        response.headers["Content-Type"] = kind
        return response

    monkeypatch.setattr(requests.Session, "get", get)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(HTML, "text/html"), (json.dumps({"files": ROWS}), JSON)],
)
def test_what_a_page_lists(monkeypatch: pytest.MonkeyPatch, content: str, kind: str) -> None:
    answer(monkeypatch, content, kind)
    index = "https://me:word@x.example/simple"
    indexes = IndexSettings(index_url=index)
    assert find_files(index, "a-b", indexes) == LISTED
    with requests.Session() as session:
        page = fetch_page(project_page(index, "a-b"), indexes, session)
        assert named(page.files, "a-b") == LISTED
        assert page.is_own


def test_a_base_of_links(monkeypatch: pytest.MonkeyPatch) -> None:
    base = '<base href="https://y.example/simple/a-b/">'
    answer(monkeypatch, base + HTML, "text/html")
    index = "https://x.example/simple"
    files = find_files(index, "a-b", IndexSettings(index_url=index))
    assert files == listed("https://y.example/")


@pytest.mark.parametrize(("content", "kind"), HOSTILE)
def test_a_hostile_page_lists_nothing(
    monkeypatch: pytest.MonkeyPatch, content: str, kind: str
) -> None:
    answer(monkeypatch, content, kind)
    index = "https://x.example/simple"
    files = find_files(index, "a-b", IndexSettings(index_url=index))
    assert [file for file in files if version_of(file.filename)] == []


def test_a_page_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_LARGEST", len(HTML) - 1)
    answer(monkeypatch, HTML, "text/html")
    index = "https://x.example/simple"
    with requests.Session() as session, pytest.raises(requests.RequestException) as caught:
        fetch_page(index, IndexSettings(index_url=index), session)
    assert describe_failure(caught.value, waited=1) == "its page is too large"


def test_no_answer_is_an_error_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(*_: object, **__: object) -> requests.Response:
        raise requests.ConnectionError("refused")

    monkeypatch.setattr(requests.Session, "get", get)
    index = "https://x.example/simple"
    indexes = IndexSettings(index_url=index)
    assert find_files(index, "a", indexes) == []
    with requests.Session() as session, pytest.raises(requests.ConnectionError):
        fetch_page(index, indexes, session)


def test_what_a_folder_lists(tmp_path: Path) -> None:
    (tmp_path / "a-b").mkdir()
    (tmp_path / "a-b/index.html").write_text(HTML, encoding="utf-8")
    files = find_files(tmp_path.as_uri(), "a-b", IndexSettings())
    assert [file.filename for file in files] == [file.filename for file in LISTED]
    assert find_files(tmp_path.as_uri(), "c", IndexSettings()) == []
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / WHEEL).touch()
    links = (tmp_path / "links").as_uri()
    found = find_files(links, "a-b", IndexSettings(find_links=(links,)))
    assert found == [ListedFile(filename=WHEEL)]


def test_addresses_of_pages() -> None:
    for index in ("https://x.example/simple", "https://x.example/simple/"):
        assert project_page(index, "a-b") == "https://x.example/simple/a-b/"


@pytest.mark.parametrize(
    ("filename", "version"),
    [(WHEEL, "1.0"), (SDIST, "1.0"), ("a-1.0.zip", "1.0"), ("a-1.0-1x-py3-none-any.whl", "1.0"),
     ("a-1.0.exe", None), ("a-one.tar.gz", None), ("a-1.0.whl", None), ("", None)],
)  # fmt: skip
def test_versions_of_files(filename: str, version: str | None) -> None:
    assert version_of(filename) == (Version(version) if version else None)
