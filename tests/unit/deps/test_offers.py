from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from azpack.deps.index import IndexSettings
from azpack.deps.offers import Offers, find_offers
from azpack.target.target import find_target

if TYPE_CHECKING:
    from collections.abc import Sequence

TARGET = find_target(Path("/project"), python="3.11")


def page(folder: Path, links: str) -> str:
    place = folder / "simple" / "a"
    place.mkdir(parents=True, exist_ok=True)
    (place / "index.html").write_text(links, encoding="utf-8")
    return (folder / "simple").as_uri()


def offers(folder: Path, *filenames: str, version: str = "1.0") -> Offers | None:
    links = "".join(f'<a href="../../files/{name}#sha256=x">{name}</a>' for name in filenames)
    return find_offers(page(folder, links), "a", version, TARGET, IndexSettings())


def wheels_of(found: Offers | None) -> str | None:
    return found.wheels if found else None


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([], "no wheel is published"),
        (
            ["cp311-cp311-manylinux_2_34_x86_64", "cp311-cp311-manylinux_2_39_x86_64"],
            "its wheels for Linux need glibc 2.34, the target has 2.31",
        ),
        (
            ["cp37-abi3-manylinux_2_34_x86_64", "cp311-cp311-win_amd64"],
            "its wheels for Linux need glibc 2.34, the target has 2.31",
        ),
        (
            ["cp312-cp312-manylinux_2_17_x86_64", "cp39-cp39-manylinux_2_17_x86_64"],
            "its wheels are for cp39, cp312 on Linux",
        ),
        # What is too new in Python does not want for glibc.
        (["cp313-abi3-manylinux_2_17_x86_64"], "its wheels are for cp313 on Linux"),
        (["cp313-abi3-manylinux_2_39_x86_64"], "its wheels are for cp313 on Linux"),
        (
            ["cp311-cp311-win_amd64", "cp311-cp311-macosx_11_0_arm64"],
            "its wheels are for cp311 on Windows, macOS",
        ),
        (
            ["cp311-cp311-manylinux_2_17_aarch64", "cp311-cp311-musllinux_1_2_x86_64"],
            "its wheels are for cp311 on Linux aarch64, musl Linux",
        ),
        (["cp311-cp311-linux_armv7l"], "its wheels are for cp311 on Linux armv7l"),
        (["py2-none-any", "x1-none-any"], "its wheels are for py2, x1 on any"),
    ],
)
def test_what_is_offered(tmp_path: Path, tags: Sequence[str], expected: str) -> None:
    names = [f"a-1.0-{tag}.whl" for tag in tags]
    others = ["a-1.0.tar.gz", "a-2.0-cp311-cp311-manylinux_2_17_x86_64.whl", "nonsense.whl", ""]
    found = offers(tmp_path, *names, *others)
    assert wheels_of(found) == expected
    assert found is not None
    assert found.version == "2.0"


def test_the_ways_out(tmp_path: Path) -> None:
    found = offers(
        tmp_path,
        "a-1.0-cp312-cp312-manylinux_2_36_x86_64.whl",
        "a-1.0-cp313-cp313-manylinux_2_39_x86_64.whl",
        "a-0.8-cp311-cp311-manylinux_2_17_x86_64.whl",
        "a-0.9-cp311-cp311-manylinux_2_17_x86_64.whl",
        "a-0.10rc1-cp311-cp311-manylinux_2_17_x86_64.whl",
        "a-0.11-cp311-cp311-win_amd64.whl",
    )
    assert found is not None
    # 3.13 has glibc 2.36 on Azure; a pre-release is nobody's advice.
    assert (found.version, found.pythons, found.marker) == ("0.9", ("3.12",), "")


@pytest.mark.parametrize(
    ("platforms", "marker"),
    [
        (["win_amd64", "win32"], "sys_platform == 'win32'"),
        (["macosx_11_0_arm64"], "sys_platform == 'darwin'"),
        (["win_amd64", "macosx_11_0_arm64"], "sys_platform != 'linux'"),
        (["win_amd64", "musllinux_1_2_x86_64"], ""),
        (["manylinux_2_17_aarch64"], ""),
        (["any"], ""),
    ],
)
def test_wheels_for_other_systems_alone(
    tmp_path: Path, platforms: Sequence[str], marker: str
) -> None:
    found = offers(tmp_path, *(f"a-1.0-cp310-cp310-{platform}.whl" for platform in platforms))
    assert found is not None
    assert (found.version, found.marker) == ("", marker)


def test_what_a_folder_of_links_has(tmp_path: Path) -> None:
    for name in ("A-1.0-py2-none-any.whl", "b-1.0-py3-none-any.whl", "a_b-1.0-py3-none-any.whl"):
        (tmp_path / name).touch()
    links = tmp_path.as_uri()
    settings = IndexSettings(no_index=True, find_links=(links,))
    assert settings.places() == (links,)
    found = find_offers(links, "a", "1.0", TARGET, settings)
    assert wheels_of(found) == "its wheels are for py2 on any"
    assert find_offers(links, "c", "", TARGET, settings) is None
    (tmp_path / "index.html").write_text('<a href="a-1.0-py3-none-any.whl">')
    page = (tmp_path / "index.html").as_uri()
    found = find_offers(page, "a", "1.0", TARGET, IndexSettings(find_links=(page,)))
    assert wheels_of(found) == ""  # since it fits


def test_the_newest_version_where_none_is_asked_for(tmp_path: Path) -> None:
    found = offers(tmp_path, "a-1.0-py3-none-any.whl", "a-2.0-py2-none-any.whl", version="")
    assert wheels_of(found) == "its wheels are for py2 on any"
    assert offers(tmp_path, version="") is None


def test_versions_are_compared_as_such(tmp_path: Path) -> None:
    found = offers(tmp_path, "a-1.0.0-py2-none-any.whl", version="1")
    assert wheels_of(found) == "its wheels are for py2 on any"
    assert offers(tmp_path, "a-1.0-py2-none-any.whl", version="not-a-version") is None
    assert offers(tmp_path, "a-1.0-py2-none-any.whl", version="3") is None


def test_pages_that_are_strange(tmp_path: Path) -> None:
    links = (
        '<a href="http://[bad">x</a><a>y</a><link href="a-1.0-py3-none-any.whl"><a href>'
        '<a href="a%2D1.0-py2-none-any.whl">z</a><b'
    )
    index = page(tmp_path, links)
    (tmp_path / "simple/a/index.html").write_bytes(b"\xff" + links.encode())
    found = find_offers(index, "a", "1.0", TARGET, IndexSettings())
    assert wheels_of(found) == "its wheels are for py2 on any"
    assert find_offers(index, "b", "1.0", TARGET, IndexSettings()) is None


def answer(content: bytes, kind: str, status: int = 200) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.url = "https://x.example/simple/a/"
    response.raw = BytesIO(content)
    response.headers["Content-Type"] = kind
    return response


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (json.dumps({"files": [{"filename": "a-1.0-py2-none-any.whl", "url": "x"}]}).encode(),
         "application/vnd.pypi.simple.v1+json", "its wheels are for py2 on any"),
        (b'<a href="https://x.example/a-1.0-py2-none-any.whl">',
         "text/html", "its wheels are for py2 on any"),
        (b"not json", "application/json", None),
        (b"{}", "application/json", None),
        (b"[]", "application/json", None),
    ],
)  # fmt: skip
def test_answers_of_an_index(
    monkeypatch: pytest.MonkeyPatch, content: bytes, kind: str, expected: str | None
) -> None:
    asked = []

    def get(_: requests.Session, url: str, **settings: Any) -> requests.Response:
        asked.append((url, settings["auth"] is not None))
        return answer(content, kind)

    monkeypatch.setattr(requests.Session, "get", get)
    indexes = IndexSettings(index_url="https://me:pass@x.example/simple")
    found = find_offers("https://x.example/simple/", "a", "1.0", TARGET, indexes)
    assert wheels_of(found) == expected
    assert asked == [("https://x.example/simple/a/", True)]


def test_an_index_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> requests.Response:
        raise requests.ConnectionError("refused")

    monkeypatch.setattr(requests.Session, "get", fail)
    indexes = IndexSettings()
    assert find_offers("https://x.example", "a", "1.0", TARGET, indexes) is None
    monkeypatch.setattr(requests.Session, "get", lambda *_, **__: answer(b"", "text/html", 404))
    assert find_offers("https://x.example", "a", "1.0", TARGET, indexes) is None
