"""What a place lists of a distribution: an index's page in either form, or what links name."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from azpack.deps.index import public
from azpack.deps.lock import file_path, normalized

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.version import Version
    from requests import Response, Session

    from azpack.deps.index import IndexSettings

ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
TIMEOUTS = (5.0, 15.0)  # seconds to connect, and to wait for the next bytes

_LARGEST = 64 * 1024 * 1024  # bytes of a page; the largest one of PyPI has a quarter of that
_PIECE = 1 << 16
# As pip reads the fragment of a link; of several it takes the first.
_HASH = re.compile(r"(sha1|sha224|sha384|sha256|sha512|md5)=([0-9a-f]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile:
    """A file as a page lists it; `requires_python` is a specifier, which nobody has checked.

    `url` has no fragment; of a file in a folder it is empty. `hash` is "sha256:" and the digits, or
    that of another kind, empty where the page has none.
    """

    filename: str
    url: str = ""
    hash: str = ""
    yanked: bool = False
    requires_python: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a server lists; not `is_own` where it sends to another host for that."""

    files: tuple[ListedFile, ...]
    is_own: bool = True


def find_files(place: str, name: str, indexes: IndexSettings) -> list[ListedFile]:
    """The files of a distribution that an index, or one of the links, lists, in its order.

    Where it does not answer, it lists nothing.
    """
    page = page_of(place, name, indexes)
    path = file_path(page)
    if path is None:
        from azpack.deps.asking import asking

        with asking(indexes) as asker:
            answer = asker.each(asker.page, [page])[page]
        return named(answer.files, name) if isinstance(answer, Page) else []
    index = path / "index.html" if path.is_dir() else path
    if index.is_file():
        files = _links(index.read_text("utf-8", "replace"), "")
    else:
        files = [ListedFile(filename=it) for it in (os.listdir(path) if path.is_dir() else [])]
    return named(files, name)


def named(files: Iterable[ListedFile], name: str) -> list[ListedFile]:
    """Those that are of a distribution by their names."""
    return [file for file in files if _is_named(file.filename, name)]


def page_of(place: str, name: str, indexes: IndexSettings) -> str:
    """Where a place lists the files of a distribution; one of the links lists others too."""
    return place if place in indexes.find_links else project_page(place, name)


def project_page(index: str, name: str) -> str:
    """Where an index lists the files of a distribution (PEP 503)."""
    return f"{index.rstrip('/')}/{name}/"


def version_of(filename: str) -> Version | None:
    """The version that a wheel or an sdist is of, if its name says one."""
    from packaging.utils import parse_sdist_filename, parse_wheel_filename

    try:
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[1]
        return parse_sdist_filename(filename)[1]
    except ValueError:  # it is none, or has a number of thousands of digits
        return None


def _is_named(filename: str, name: str) -> bool:
    stem = filename.partition("-")[0] if filename.endswith(".whl") else filename.rpartition("-")[0]
    return normalized(stem) == name


def fetch_page(url: str, indexes: IndexSettings, session: Session) -> Page:
    """The files on a page of either form of the simple API (PEP 503, 691).

    What can't be read of it lists nothing.

    Raises:
        RequestException: there is no page, or no answer.
    """
    from azpack.deps.session import authentication

    login = authentication(indexes, url)
    url = public(url)
    with session.get(
        url, headers={"Accept": ACCEPT}, auth=login, timeout=TIMEOUTS, stream=True
    ) as response:
        response.raise_for_status()
        page = _content(response).decode("utf-8", "replace")
        is_json = "json" in response.headers.get("Content-Type", "")
        files = _rows(page, response.url) if is_json else _links(page, response.url)
        elsewhere = session.should_strip_auth(url, response.url)  # type: ignore[no-untyped-call]
        return Page(files=tuple(files), is_own=not elsewhere)


def _content(response: Response) -> bytes:
    from requests import RequestException

    content = bytearray()
    for piece in response.iter_content(_PIECE):
        content += piece
        if len(content) > _LARGEST:
            raise RequestException("the page is too large")
    return bytes(content)


def _rows(page: str, base: str) -> Iterator[ListedFile]:
    try:
        rows = list(json.loads(page)["files"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    for row in rows:
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            yield ListedFile(
                filename=str(row["filename"]),
                url=urldefrag(urljoin(base, row["url"])).url,
                hash=_preferred(row.get("hashes") or {}),
                yanked=row.get("yanked", False) is not False,
                requires_python=str(row.get("requires-python") or ""),
            )


def _preferred(hashes: Mapping[str, str]) -> str:
    for kind in ("sha256", *hashes):
        if kind in hashes:
            return f"{kind}:{hashes[kind]}".lower()
    return ""


def _links(page: str, base: str) -> list[ListedFile]:
    parser = _LinkParser(base)
    with suppress(AssertionError):  # markup that html.parser does not know
        parser.feed(page)
    return parser.files


class _LinkParser(HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = base
        self.files: list[ListedFile] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        target = attributes.get("href")
        if not target:
            return
        with suppress(ValueError):  # what is no URL
            url, fragment = urldefrag(urljoin(self._base, target))
            if tag == "base":
                self._base = url
            elif tag == "a":
                found = _HASH.search(fragment)
                self.files.append(
                    ListedFile(
                        filename=unquote(urlsplit(url).path.rpartition("/")[2]),
                        url=url,
                        hash=f"{found[1]}:{found[2]}" if found else "",
                        yanked="data-yanked" in attributes,
                        requires_python=attributes.get("data-requires-python") or "",
                    )
                )
