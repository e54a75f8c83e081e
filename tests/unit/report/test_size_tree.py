"""The tree of sizes: by distribution and folder, small, and without a byte lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azpack.package.inspection import PackedDistribution, PackedEntry
from azpack.report.size_tree import size_tree
from tests.packages import APP, SITE, inspect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from azpack.package.inspection import Inspection

PYTHON, NATIVE, OTHER = range(3)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    return inspect(tmp_path_factory.mktemp("packages"), APP)


def entry(path: str, size: int, *, of: str | None = None, native: bool = False) -> PackedEntry:
    return PackedEntry(
        path=path, size=size, compressed_size=size // 2, crc=0, mode=0o644, distribution=of,
        native=native,
    )  # fmt: skip


def with_files(sample: Inspection, files: Iterable[PackedEntry]) -> Inspection:
    listed = tuple(files)
    distributions = tuple(
        PackedDistribution(
            name=name, version="1.0", size=0, compressed_size=0, files=0, native=False
        )
        for name in sorted({file.distribution for file in listed if file.distribution})
    )
    return replace(sample, files=listed, distributions=distributions)


def leaves(node: list[Any]) -> Iterator[list[Any]]:
    if isinstance(node[1], list):
        for child in node[1]:
            yield from leaves(child)
    else:
        yield node


def test_by_distribution_and_folder(sample: Inspection) -> None:
    files = [
        entry("host.json", 10),
        entry("shared/a.py", 20),
        entry(f"{SITE}one/__init__.py", 30, of="one"),
        entry(f"{SITE}one/_c.so", 40, of="one", native=True),
        entry(f"{SITE}one-1.0.dist-info/RECORD", 50, of="one"),
        entry(f"{SITE}left.txt", 60),
    ]
    assert size_tree(with_files(sample, files)) == [
        "app.zip",
        [
            ["loose files", [["left.txt", 30, 60, OTHER]]],
            [
                "one 1.0",
                [
                    ["one", [["__init__.py", 15, 30, PYTHON], ["_c.so", 20, 40, NATIVE]]],
                    ["one-1.0.dist-info", [["RECORD", 25, 50, OTHER]]],
                ],
            ],
            ["the app", [["shared", [["a.py", 10, 20, PYTHON]]], ["host.json", 5, 10, OTHER]]],
        ],
    ]


def test_a_distribution_that_is_there_twice_has_both_versions(sample: Inspection) -> None:
    inspection = with_files(sample, [entry(f"{SITE}one/a.py", 1, of="one")])
    (one,) = inspection.distributions
    twice = replace(inspection, distributions=(one, replace(one, version="2.0")))
    assert [name for name, _ in size_tree(twice)[1]] == ["one 1.0, 2.0"]


def test_folders_that_hold_one_folder_are_one(sample: Inspection) -> None:
    files = [entry("a/b/c/x.py", 2), entry("a/b/c/y.py", 4)]
    ((_, (folder,)),) = size_tree(with_files(sample, files))[1]
    assert folder == ["a/b/c", [["x.py", 1, 2, PYTHON], ["y.py", 2, 4, PYTHON]]]


def test_smaller_files_are_together_by_kind(sample: Inspection) -> None:
    files = [
        entry("a/large.py", 1000),
        entry("a/x.py", 10),
        entry("a/gone/y.py", 20),
        entry("a/z.txt", 30),
        entry("b/w.txt", 40),
    ]
    ((_, children),) = size_tree(with_files(sample, files), most_named=2)[1]
    large = ["large.py", 500, 1000, PYTHON]
    assert children == [["a", [large, [2, 15, 30, PYTHON], [1, 15, 30, OTHER]]], [1, 20, 40, OTHER]]


def test_a_large_folder_of_small_files_is_named_first(sample: Inspection) -> None:
    files = [entry("one.py", 50), *(entry(f"many/{index}.py", 10) for index in range(10))]
    ((_, children),) = size_tree(with_files(sample, files), most_named=2)[1]
    assert children == [["many", [[10, 50, 100, PYTHON]]], ["one.py", 25, 50, PYTHON]]


def test_deep_folders_are_no_trouble(sample: Inspection) -> None:
    files = [entry(f"{'a/' * 190}{name}.py", 2) for name in "xy"]
    ((_, (folder,)),) = size_tree(with_files(sample, files))[1]
    assert [row[1:] for row in leaves(folder)] == [[1, 2, PYTHON]] * 2


def test_long_names_are_cut(sample: Inspection) -> None:
    ((_, (file,)),) = size_tree(with_files(sample, [entry(f"{'x' * 250}.py", 1)]))[1]
    assert len(file[0]) == 120
    assert file[0].startswith("…x")
    assert file[0].endswith("x.py")


def test_a_package_without_files(sample: Inspection) -> None:
    assert size_tree(with_files(sample, [])) == ["app.zip", []]


names = st.text(min_size=1, max_size=3).filter(lambda name: "/" not in name)
paths = st.lists(names, min_size=1, max_size=6).map("/".join)
entries = st.builds(
    entry,
    st.one_of(paths, paths.map(SITE.__add__)),
    st.integers(min_value=0, max_value=1 << 33),
    of=st.sampled_from([None, "one", "two"]),
    native=st.booleans(),
)


@given(st.lists(entries, max_size=40, unique_by=lambda file: file.path), st.integers(0, 40))
def test_nothing_is_lost_and_little_is_named(
    sample: Inspection, files: list[PackedEntry], most: int
) -> None:
    whole = size_tree(with_files(sample, files), most_named=most)
    rows = list(leaves(whole))
    assert sum(row[1] for row in rows) == sum(file.compressed_size for file in files)
    assert sum(row[2] for row in rows) == sum(file.size for file in files)
    named = [row for row in rows if isinstance(row[0], str)]
    assert len(named) + sum(row[0] for row in rows if row not in named) == len(files)
    for kind in (PYTHON, NATIVE, OTHER):
        assert sum(row[3] == kind for row in named) <= sum(kind_of(file) == kind for file in files)
    if len({file.path.removeprefix(SITE) for file in files}) == len(files):
        assert len(named) + sum(folders_in(group) for group in whole[1]) <= most


def kind_of(file: PackedEntry) -> int:
    if file.native:
        return NATIVE
    return PYTHON if file.path.endswith((".py", ".pyc")) else OTHER


def folders_in(node: list[Any]) -> int:
    """How many folders are in one, not counted itself."""
    if not isinstance(node[1], list):
        return 0
    return sum(isinstance(child[1], list) + folders_in(child) for child in node[1])
