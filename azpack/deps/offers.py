"""Which wheels an index offers of a version: asked only to explain why none of them fits."""

from __future__ import annotations

import re
from contextlib import suppress
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from azpack.deps.lock import file_path

if TYPE_CHECKING:
    from packaging.tags import Tag

    from azpack.deps.index import IndexSettings
    from azpack.target.target import Target

_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
_TIMEOUTS = (5.0, 15.0)
_GLIBC = re.compile(r"manylinux_(\d+)_(\d+)_x86_64")


def describe_offers(
    index: str, name: str, version: str, target: Target, indexes: IndexSettings
) -> str:
    """Say in a few words what wheels there are of a version; nothing where it can't be known."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    try:
        wanted = Version(version)
    except InvalidVersion:
        return ""
    tags: set[Tag] = set()
    for filename in _filenames(index, name, indexes):
        try:
            _, found, _, file_tags = parse_wheel_filename(filename)
        except InvalidWheelFilename:
            continue
        if found == wanted:
            tags |= file_tags
    if not tags:
        return "no wheel is published"
    fitting = {(tag.interpreter, tag.abi) for tag in target.tags()}
    needed = sorted(
        (int(match[1]), int(match[2]))
        for tag in tags
        if (tag.interpreter, tag.abi) in fitting and (match := _GLIBC.fullmatch(tag.platform))
    )
    if needed and needed[0] > tuple(map(int, target.glibc.split("."))):
        oldest = "{}.{}".format(*needed[0])
        return f"its wheels for Linux need glibc {oldest}, the target has {target.glibc}"
    interpreters = ", ".join(sorted({tag.interpreter for tag in tags}, key=_natural))
    systems = ", ".join(sorted({_system(tag.platform) for tag in tags}))
    return f"its wheels are for {interpreters} on {systems}"


def _system(platform: str) -> str:
    for prefix, system in (
        ("win", "Windows"),
        ("macosx", "macOS"),
        ("musllinux", "musl Linux"),
        ("manylinux", "Linux"),
        ("linux", "Linux"),
    ):
        if platform.startswith(prefix):
            machine = platform.rpartition("_")[2] if "x86_64" not in platform else ""
            return f"{system} {machine}" if system == "Linux" and machine else system
    return platform


def _natural(text: str) -> list[tuple[int, str]]:
    parts = re.findall(r"\d+|\D+", text)
    return [(int(part) if part.isdecimal() else -1, part) for part in parts]


def _filenames(index: str, name: str, indexes: IndexSettings) -> list[str]:
    """The files of a project on an index, in either form of the simple API (PEP 503, 691)."""
    import requests

    from azpack.deps.session import authentication, make_session, trusting_context

    url = f"{index.rstrip('/')}/{name}/"
    if folder := file_path(url):
        page = folder / "index.html"
        return _links(page.read_text("utf-8", "replace")) if page.is_file() else []
    session = make_session(trusting_context(indexes.certificates))
    try:
        response = session.get(
            url,
            headers={"Accept": _ACCEPT},
            auth=authentication(indexes, url),
            timeout=_TIMEOUTS,
        )
        response.raise_for_status()
        if "json" in response.headers.get("Content-Type", ""):
            return [str(file["filename"]) for file in response.json()["files"]]
    except (requests.RequestException, KeyError, TypeError):
        return []
    return _links(response.text)


def _links(page: str) -> list[str]:
    parser = _LinkParser()
    parser.feed(page)
    return parser.filenames


class _LinkParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.filenames: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = dict(attrs).get("href")
        if tag == "a" and target:
            with suppress(ValueError):  # a link that is no URL
                self.filenames.append(unquote(urlsplit(target).path.rpartition("/")[2]))
