from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azpack.deps.elf import ElfError, read_object
from azpack.deps.excerpt import Excerpt
from tests.distributions import noise
from tests.objects import make_object

if TYPE_CHECKING:
    from collections.abc import Iterator

MB = 1 << 20


class Stream:
    """An object that is given piece by piece; `passes` says how often from its start."""

    def __init__(self, content: bytes, *sizes: int) -> None:
        self.content = content
        self.sizes = sizes or (MB,)
        self.passes = 0
        self.given = 0

    def __call__(self) -> Iterator[bytes]:
        self.passes += 1
        at = number = 0
        while at < len(self.content):
            piece = self.content[at : at + self.sizes[number % len(self.sizes)]]
            at, number = at + len(piece), number + 1
            self.given += len(piece)
            yield piece

    def excerpt(self) -> Excerpt:
        pieces = self()
        excerpt = Excerpt(self, next(pieces))
        for piece in pieces:
            excerpt.add(piece)
        return excerpt


@pytest.mark.parametrize(
    ("gaps", "passes"),
    [
        ((0, 0, 0), 1),
        ((MB, MB // 2, 30 * MB), 1),  # as linkers do: the dynamic segment is behind the code
        ((0, 0, 20 * MB), 1),
        ((20 * MB, 0, 0), 1),  # as is done by who changes names afterwards
        ((0, 20 * MB, 0), 1),
        ((5 * MB, 20 * MB, 0), 2),
        ((5 * MB, 5 * MB, 20 * MB), 3),
    ],
)
def test_tables_wherever_they_stand(gaps: tuple[int, int, int], passes: int) -> None:
    versions = [("libc.so.6", "GLIBC_2.34"), ("libstdc++.so.6", "GLIBCXX_3.4.30")]
    content = make_object(soname="libx.so", versions=versions, gaps=gaps)
    stream = Stream(content + bytes(9 * MB if gaps[2] == 20 * MB else 0))
    found = read_object(stream.excerpt().read)
    assert found is not None
    assert (found.soname, list(found.versions)) == ("libx.so", versions)
    assert stream.passes == passes


def test_the_whole_is_not_held() -> None:
    content = make_object(gaps=(0, 0, 64 * MB)) + bytes(64 * MB)
    stream = Stream(content)
    tracemalloc.start()
    try:
        excerpt = stream.excerpt()
        assert tracemalloc.get_traced_memory()[1] < 12 * MB
        read_object(excerpt.read)
        assert tracemalloc.get_traced_memory()[1] < 12 * MB
    finally:
        tracemalloc.stop()


def test_a_pass_ends_where_it_has_found() -> None:
    stream = Stream(make_object() + bytes(60 * MB))
    excerpt = stream.excerpt()
    before = stream.given
    assert excerpt.read(30 * MB, 8) == bytes(8)
    assert stream.given - before <= 32 * MB
    assert excerpt.read(30 * MB + 1000, 8) == bytes(8)
    assert stream.passes == 2


def test_passes_are_not_endless() -> None:
    stream = Stream(make_object() + bytes(60 * MB))
    excerpt = stream.excerpt()
    for number in range(8):
        excerpt.read((5 + 3 * number) * MB, 8)
    with pytest.raises(ElfError, match="too many places"):
        excerpt.read(40 * MB, 8)
    assert stream.passes == 9


def test_what_is_another_the_second_time() -> None:
    content = make_object() + bytes(60 * MB)
    stream = Stream(content)
    excerpt = stream.excerpt()
    stream.content = content[: 20 * MB]
    with pytest.raises(ElfError, match="not the same"):
        excerpt.read(30 * MB, 8)


@given(
    length=st.integers(0, 12 * MB),
    sizes=st.lists(st.integers(1 << 16, MB), min_size=1, max_size=4),
    places=st.lists(st.tuples(st.integers(0, 13 * MB), st.integers(0, 3 * MB)), max_size=6),
)
def test_any_place_of_any_stream(
    length: int, sizes: list[int], places: list[tuple[int, int]]
) -> None:
    content = make_object()[:64] + noise(length)
    excerpt = Stream(content, *sizes).excerpt()
    for offset, size in places:
        assert excerpt.read(offset, size) == content[offset : offset + size]
