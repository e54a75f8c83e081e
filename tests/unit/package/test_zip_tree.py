from __future__ import annotations

import resource
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azpack.errors import AzpackError, FileError
from azpack.package import zip_tree
from azpack.package.zip_tree import ZipTree
from tests.packages import APP, SITE, codes_of, distribution, inspect, raw_zip, write_package

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
NAME = b"a.txt"


def opened(folder: Path, content: bytes) -> ZipTree:
    path = folder / "app.zip"
    path.write_bytes(content)
    return ZipTree(path)


def test_what_is_in_it_is_read(tmp_path: Path) -> None:
    files = {"b/é.txt": b"1" * 700_000, "a": b"", "b/a": b"abc", "B": b"x"}
    with ZipTree(write_package(tmp_path / "app.zip", files)) as tree:
        assert tree.paths() == ("B", "a", "b/a", "b/é.txt")
        assert {path: tree.read(path) for path in tree.paths()} == files
        assert tree.read("b/é.txt", 5) == b"11111"
        assert tree.read("b/é.txt", 700_000) == files["b/é.txt"]
        assert tree.read("b/a", 0) == b""
        assert (tree.size("b/é.txt"), tree.mode("a"), tree.count) == (700_000, 0o644, 4)
        assert tree.oddities == ()
        with pytest.raises(KeyError):
            tree.read("c")


def test_folders_are_not_listed(tmp_path: Path) -> None:
    fields = {b"b": {"mode": 0o040755}}
    with opened(tmp_path, raw_zip([(b"a/", b""), (b"b", b""), (b"a/c", b"1")], fields=fields)) as t:
        assert t.paths() == ("a/c",)
        assert t.oddities == ()


@pytest.mark.parametrize(
    ("name", "path", "code", "said"),
    [
        (b"a\\b.txt", "a/b.txt", "AZP505", "backslashes"),
        (b"/etc/passwd", "etc/passwd", "AZP505", "absolute"),
        (b"C:\\x\\y", "x/y", "AZP505", "absolute"),
        (b"../up", None, "AZP505", "leads out"),
        (b"a/../../up", None, "AZP505", "leads out"),
        (b"..\\up", None, "AZP505", "leads out"),
        (b"./a", "a", "AZP505", 'with "."'),
        (b"a//b", "a/b", "AZP505", "empty parts"),
        (b"a\0b", None, "AZP505", "NUL"),
        (b"a\x1b[31mb", None, "AZP505", "control"),
        (b"a\nb", None, "AZP505", "control"),
        (b"", None, "AZP505", "no name"),
        (b"x" * 256, None, "AZP505", "longer than"),
        (b"/".join([b"d" * 200] * 21), None, "AZP505", "longer than"),
        (b"d/" * 201 + b"f", None, "AZP505", "folders"),
        (b"caf\x82", "café", "AZP505", "not UTF-8"),
    ],
)
def test_odd_names(name: bytes, path: str | None, code: str, said: str, tmp_path: Path) -> None:
    with opened(tmp_path, raw_zip([(name, b"1")])) as tree:
        assert tree.paths() == ((path,) if path is not None else ())
        found = {(oddity.code, oddity.what) for oddity in tree.oddities}
        assert any(odd == code and said in what for odd, what in found)
        assert all(oddity.example.isprintable() for oddity in tree.oddities)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"mode": 0o120777}, "a symbolic link"),
        ({"mode": 0o010644}, "a special file"),
        ({"flags": 1}, "encrypted"),
        ({"method": 9}, "Deflate64"),
        ({"method": 12}, "bzip2"),
        ({"method": 77}, "method 77"),
    ],
)
def test_kinds_that_can_not_be_read(fields: dict[str, int], said: str, tmp_path: Path) -> None:
    with opened(tmp_path, raw_zip([(NAME, b"1")], fields={NAME: fields})) as tree:
        (oddity,) = tree.oddities
        assert (oddity.code, tree.paths()) == ("AZP506", ())
        assert tree.unreadable == {"a.txt"}
        assert said in oddity.what


def test_modes_count_only_of_unix(tmp_path: Path) -> None:
    fields = {NAME: {"mode": 0o120777, "system": 0}}
    with opened(tmp_path, raw_zip([(NAME, b"1")], fields=fields)) as tree:
        assert (tree.paths(), tree.mode("a.txt"), tree.oddities) == (("a.txt",), 0, ())


def test_names_in_utf8_without_saying_so(tmp_path: Path) -> None:
    with opened(tmp_path, raw_zip([("é".encode(), b"1")])) as tree:
        assert (tree.paths(), tree.oddities) == (("é",), ())
    flags = {b"\xff\xfe": {"flags": 0x800}}
    with opened(tmp_path, raw_zip([(b"\xff\xfe", b"2")], fields=flags)) as tree:
        assert tree.paths() == ("\ufffd\ufffd",)


def test_the_same_path_twice(tmp_path: Path) -> None:
    with opened(tmp_path, raw_zip([(b"a", b"1"), (b"b", b""), (b"a", b"2"), (b"a", b"3")])) as tree:
        assert tree.read("a") == b"3"
        (oddity,) = tree.oddities
        assert (oddity.code, oddity.entries, oddity.example) == ("AZP505", 2, "a")


def test_a_file_that_is_a_folder_too(tmp_path: Path) -> None:
    names = [b"a", b"a/b", b"a/c/d", b"a.b", b"a-/x", b"ab/c"]
    with opened(tmp_path, raw_zip([(name, b"1") for name in names])) as tree:
        assert tree.paths() == ("a", "a-/x", "a.b", "ab/c")
        assert [(oddity.what, oddity.entries) for oddity in tree.oddities] == [
            ("a path below what is a file", 2)
        ]


@pytest.mark.parametrize(
    ("fields", "limit", "said"),
    [
        ({"size": 999}, 1 << 20, "size and CRC"),
        ({"size": 10}, 1 << 20, "larger than the directory says"),
        ({"size": 10}, 5, ""),
        ({"crc": 1}, 1 << 20, "size and CRC"),
        ({"crc": 1}, 300, "size and CRC"),
        ({"crc": 1}, 299, ""),
        ({"method": 0, "size": 1000, "compressed_size": 1000}, 1 << 20, "lie within the file"),
    ],
)
def test_a_directory_that_lies(
    fields: dict[str, int], limit: int, said: str, tmp_path: Path
) -> None:
    content = raw_zip([(NAME, b"abc" * 100)], fields={NAME: fields})
    if not said:
        with opened(tmp_path, content) as tree:
            assert len(tree.read("a.txt", limit)) == limit
        return
    with pytest.raises(FileError, match=said) as caught, opened(tmp_path, content) as tree:
        tree.read("a.txt", limit)
    assert caught.value.exit_code == 6


def test_bytes_that_are_no_deflate(tmp_path: Path) -> None:
    content = raw_zip([(NAME, b"\xff" * 9)], fields={NAME: {"method": 0}})
    content = content.replace(b"\x00\x00\x00\x00\x21\x00", b"\x08\x00\x00\x00\x21\x00")
    with pytest.raises(FileError, match="can't be inflated"), opened(tmp_path, content) as tree:
        tree.read("a.txt")


def test_entries_over_each_other(tmp_path: Path) -> None:
    names = [(b"a", b"1" * 999), (b"a", b"1" * 999)]
    with pytest.raises(FileError, match="lie over each other"):
        opened(tmp_path, raw_zip(names, fields={b"a": {"offset": 0}}))


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip" * 99, b"PK\5\6" + bytes(17)])
def test_no_zip(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"app\.zip is not a sound zip"):
        opened(tmp_path, content)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="can't be read"):
        ZipTree(tmp_path / "none.zip")
    with pytest.raises(FileError, match="is not a file"):
        ZipTree(tmp_path)


def test_no_more_is_read_than_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = raw_zip([(b"bomb", bytes(200 * MIB))])
    with opened(tmp_path, content) as tree:
        assert sum(len(piece) for piece in tree.pieces("bomb")) == 200 * MIB
    monkeypatch.setattr(zip_tree, "_MOST_INFLATED", MIB)
    with opened(tmp_path, content) as tree:
        assert tree.read("bomb", 100) == bytes(100)


def test_reading_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_tree, "_MOST_INFLATED", 10 * MIB)
    content = raw_zip([(b"a.so", b"\x7fELF" + bytes(9 * MIB)), (b"b.so", bytes(9 * MIB))])
    with opened(tmp_path, content) as tree:
        assert len(tree.read("a.so", 9 * MIB)) == 9 * MIB
        with pytest.raises(FileError, match="inflates to more than"):
            tree.read("b.so", 9 * MIB)


def test_too_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_tree, "_MOST_ENTRIES", 3)
    with pytest.raises(FileError, match="4 entries, 3 at most"):
        opened(tmp_path, raw_zip([(b"%d" % number, b"") for number in range(4)]))


def test_a_hundred_thousand_entries(tmp_path: Path) -> None:
    entries = [
        (f"{SITE}a/b{number // 100}/c{number}.py".encode(), b"") for number in range(100_000)
    ]
    entries += [(name.encode(), content) for name, content in APP.items()]
    (tmp_path / "app.zip").write_bytes(raw_zip(entries))
    del entries
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    inspection = inspect(tmp_path)
    assert inspection.package.entries == 100_002
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def test_number_of_entries_that_overflowed(tmp_path: Path) -> None:
    entries = [(b"%d" % number, b"") for number in range(0x10005)]
    content = raw_zip(entries)
    start = content.rindex(b"PK\6\6")
    end = bytearray(content[:start] + content[-22:])
    end[-14:-10] = b"\5\0\5\0"
    with opened(tmp_path, bytes(end)) as tree:
        assert tree.count == 0x10005


def write_sample(folder: Path) -> bytes:
    path = folder / "sample.zip"
    write_package(path, APP, distribution("one", requires=["two"]), distribution("two"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("stored.bin", b"stored", zipfile.ZIP_STORED)
    return path.read_bytes()


@given(data=st.data())
def test_damage_has_one_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    sample = bytearray(write_sample(folder))
    patches = data.draw(
        st.lists(
            st.tuples(
                st.integers(0, len(sample) - 1),
                st.binary(min_size=1, max_size=9) | st.sampled_from([b"\xff" * 4, bytes(8), b"PK"]),
            ),
            max_size=6,
        )
    )
    for position, patch in patches:
        sample[position : position + len(patch)] = patch
    cut = data.draw(st.none() | st.integers(0, len(sample)))
    path = folder / "damaged.zip"
    path.write_bytes(sample[:cut])
    try:
        inspection = inspect(path)
    except AzpackError as error:
        assert isinstance(error, FileError)  # noqa: PT017  # others are faults
    else:
        assert all(finding.code.startswith("AZP") for finding in inspection.findings)


@given(files=st.dictionaries(st.binary(max_size=30), st.binary(max_size=300), max_size=6))
def test_any_names_and_contents(
    files: dict[bytes, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "names.zip"
    path.write_bytes(raw_zip(files.items()))
    inspection = inspect(path)
    assert all(code.startswith("AZP") for code, _ in codes_of(inspection.findings))
    with ZipTree(path) as tree:
        for found in tree.paths():
            assert not found.startswith("/")
            assert ".." not in found.split("/")
            assert zlib.crc32(tree.read(found)) == tree.entries[found].crc
