from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azpack.deps.holdings import Held, Holdings, Pin
from azpack.deps.index import IndexSettings
from azpack.deps.lock import LockedDistribution
from azpack.deps.pages import ListedFile
from azpack.deps.pips_choice import Taken, find_taken
from azpack.target.target import find_target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TARGET = find_target(Path("/project"), python="3.11")
A, B = "https://a.example/simple", "https://b.example/simple"
WITH_USER = B.replace("://", "://me:word@")
TWO = IndexSettings(index_url=A, extra_index_urls=(WITH_USER,))
ANY = "py3-none-any.whl"
LINUX = "cp311-cp311-manylinux"
OURS, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def choose(
    listed: Mapping[str, Sequence[str | ListedFile]],
    version: str = "1.0",
    indexes: IndexSettings = TWO,
    *,
    allowed: frozenset[str] = frozenset(),
) -> Taken | None:
    """What is taken of `a`, where the places list these files."""
    pages = {
        (WITH_USER if place == B and indexes is TWO else place, "a"): Held(
            files=tuple(ListedFile(filename=it) if isinstance(it, str) else it for it in files)
        )
        for place, files in listed.items()
    }
    entry = LockedDistribution(
        name="a", version=version, kind="wheel", url=f"{B}/a-1.0-{ANY}",
        filename=f"a-1.0-{ANY}", sha256="a" * 64,
    )  # fmt: skip
    holdings = Holdings(indexes=indexes, pages=pages)
    return find_taken([Pin(entry=entry, allowed=allowed)], TARGET, holdings).get("a")


def taken(
    listed: Mapping[str, Sequence[str | ListedFile]],
    version: str = "1.0",
    indexes: IndexSettings = TWO,
) -> tuple[str, str] | None:
    found = choose(listed, version, indexes)
    return (found.filename, found.place) if found else None


def test_the_last_of_equals_is_taken() -> None:
    assert taken({A: [f"a-1.0-{ANY}"], B: [f"a-1.0-{ANY}"]}) == (f"a-1.0-{ANY}", B)
    files = [f"a-1.0-{ANY}", f"a-1.0.0-{ANY}", f"a-2.0-{ANY}"]
    assert taken({A: files}) == (f"a-1.0.0-{ANY}", A)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (f"a-1.0-1-{ANY}", f"a-1.0-{ANY}"),
        (f"a-1.0-10-{ANY}", f"a-1.0-9b-{ANY}"),
        (f"a-1.0-9b-{ANY}", f"a-1.0-9a-{ANY}"),
        ("a-1.0-cp311-none-any.whl", f"a-1.0-9-{ANY}"),
        (f"a-1.0-{ANY}", "a-1.0.tar.gz"),
        (f"a-1.0-{LINUX}2014_x86_64.whl", "a-1.0-cp311-abi3-manylinux_2_31_x86_64.whl"),
        (f"a-1.0-{LINUX}2014_x86_64.whl", f"a-1.0-{LINUX}_2_34_x86_64.whl"),
        (f"a-1.0-{LINUX}_2_31_x86_64.whl", f"a-1.0-{LINUX}2014_x86_64.whl"),
        ("a-1.0.zip", "a-1.0-cp312-cp312-manylinux2014_x86_64.whl"),
        (f"a-1.0-py2.{ANY}", "a-1.0-py2-none-any.whl"),
    ],
)  # fmt: skip
def test_which_file_is_the_better_one(better: str, worse: str) -> None:
    assert taken({A: [better], B: [worse]}) == (better, A)
    assert taken({A: [worse], B: [better]}) == (better, B)
    yanked = ListedFile(filename=better, yanked=True)
    assert taken({A: [yanked]}) == (better, A)


def test_what_else_a_page_says() -> None:
    sdist = "a-1.0.tar.gz"
    for other in (
        ListedFile(filename=f"a-1.0-{ANY}", yanked=True),
        ListedFile(filename=f"a-1.0-{ANY}", requires_python=">=3.12"),
        ListedFile(filename=f"a-1.0-{ANY}", requires_python="<3.11.2"),
    ):
        assert taken({A: [sdist], B: [other]}) == (sdist, A)
    for requires in ("", ">=3.8", "like 3", f"=={TARGET.full_version}"):
        wheel = ListedFile(filename=f"a-1.0-{ANY}", requires_python=requires)
        assert taken({A: [sdist], B: [wheel]}) == (f"a-1.0-{ANY}", B)


def test_versions() -> None:
    listed = {A: [f"a-1.0-{ANY}", "a-3.0.tar.gz"], B: [f"a-2.0-{ANY}", f"a-4.0a1-{ANY}"]}
    assert taken(listed, "1") == (f"a-1.0-{ANY}", A)
    assert taken(listed, "4.0a1") == (f"a-4.0a1-{ANY}", B)
    assert taken(listed, "5") is None
    assert taken(listed, "no version") is None


def test_only_what_is_there_on_the_platform_counts() -> None:
    links = "https://links.example/"
    listed = {place: [f"a-1.0-{ANY}"] for place in (links, "file:///links", "file:///srv", A, B)}
    indexes = IndexSettings(
        index_url=A, extra_index_urls=("file:///srv",), find_links=(links, "file:///links")
    )
    assert taken(listed, indexes=indexes) == (f"a-1.0-{ANY}", A)
    indexes = IndexSettings(no_index=True, index_url=A, find_links=(links,))
    assert taken(listed, indexes=indexes) == (f"a-1.0-{ANY}", links)
    # An index that is named twice is asked where it stands first.
    indexes = IndexSettings(index_url=A, extra_index_urls=(B, A))
    assert taken(listed, indexes=indexes) == (f"a-1.0-{ANY}", B)


def test_local_versions() -> None:
    listed = {A: [f"a-1.0+evil-{ANY}"], B: [f"a-1.0-{ANY}"]}
    assert taken(listed) == (f"a-1.0+evil-{ANY}", A)
    assert taken(listed, "1.0+evil") == (f"a-1.0+evil-{ANY}", A)
    assert taken(listed, "1.0+good") is None


def wheel(filename: str = f"a-1.0-{ANY}", **more: object) -> ListedFile:
    return ListedFile(filename=filename, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ours", "theirs", "is_pinned"),
    [
        # A page with the hash decides, whatever else there is.
        (wheel(hash=OURS), wheel(f"a-1.0+zzz-1-{ANY}"), True),
        (wheel(hash=OURS), wheel(f"a-1.0+zzz-1-{ANY}", hash=OTHER), True),
        (wheel("a-1.0.tar.gz", hash=OURS), wheel(), True),
        # Unless it is yanked, and another one can't be told not to be it.
        (wheel(hash=OURS, yanked=True), wheel(), False),
        (wheel(hash=OURS, yanked=True), wheel(hash=OTHER), True),
        # Without, pip learns too late.
        (wheel(url=f"{B}/a-1.0-{ANY}"), wheel(), True),
        (wheel(url=f"{B}/a-1.0-{ANY}"), wheel(f"a-1.0-1-{ANY}"), False),
        (wheel(url=f"{B}/a-1.0-{ANY}"), wheel(f"a-1.0-1-{ANY}", hash=OTHER), False),
        (wheel(hash="md5:cc"), wheel(f"a-1.0-1-{ANY}"), False),
        (wheel(url=f"{A}/a-1.0-{ANY}"), wheel(), False),
    ],
)
def test_with_hashes(ours: ListedFile, theirs: ListedFile, is_pinned: bool) -> None:
    found = choose({A: [theirs], B: [ours]}, allowed=frozenset({OURS}))
    assert found is not None
    assert found.is_pinned is is_pinned


def test_hostile_numbers() -> None:
    ones = "1" * 5000
    files: list[str | ListedFile] = [f"a-{ones}-{ANY}", f"a-1.0-{ones}-{ANY}"]
    files.append(wheel(requires_python=f">={ones}"))
    assert taken({A: files}) == (f"a-1.0-{ANY}", A)
