from __future__ import annotations

import csv
import hashlib
import io
import itertools
import os
import stat
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from azpack.archive import end_records
from azpack.errors import AzpackError, FileError, WheelError
from azpack.package import segment as segment_module
from azpack.package.segment import SITE_PACKAGES, Collision, find_segment, make_segment
from azpack.store import Store
from tests.wheels import keep_wheel, sha256_of, write_wheel

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from azpack.deps.distribution import Wheel
    from azpack.package.cuts import Cut
    from azpack.package.segment import Segment

TIMESTAMP = 1 << 21 | 1 << 16


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


class Wheels:
    """Puts wheels into the store."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folder = folder

    def __call__(
        self,
        name: str,
        files: Mapping[str, bytes],
        *,
        data: Mapping[str, bytes] | None = None,
        modes: Mapping[str, int] | None = None,
        entry_points: str = "",
    ) -> Wheel:
        path = write_wheel(
            self.folder, name, "1.0", files, data=data, modes=modes, entry_points=entry_points
        )
        return keep_wheel(self.store, path)


@pytest.fixture
def wheel(store: Store, tmp_path: Path) -> Wheels:
    return Wheels(store, tmp_path / "wheels")


def zip_of(segment: Segment) -> zipfile.ZipFile:
    """The segment as a zip of its own."""
    data = segment.data.read_bytes()
    assert len(data) == segment.data_size
    directory = segment.directory.read_bytes()
    end = end_records(count=segment.entries, size=len(directory), offset=len(data))
    return zipfile.ZipFile(io.BytesIO(data + directory + end))


def contents(segment: Segment) -> dict[str, bytes]:
    """The files below site-packages; every CRC is checked, and RECORDs against the files."""
    with zip_of(segment) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names == sorted(names, key=str.encode)
        assert len(set(names)) == len(names) == segment.entries
        assert all(name.startswith(SITE_PACKAGES) for name in names)
        assert segment.uncompressed_size == sum(info.file_size for info in archive.infolist())
        modes = {info.external_attr >> 16 for info in archive.infolist()}
        assert modes <= {stat.S_IFREG | 0o644, stat.S_IFREG | 0o755}
        lines = [
            f"{info.filename}\0{info.external_attr >> 16 & 0o7777:o}\0"
            f"{hashlib.sha256(archive.read(info)).hexdigest()}\n"
            for info in archive.infolist()
        ]
        assert segment.digest_lines.read_bytes() == "".join(lines).encode()
        return {name.removeprefix(SITE_PACKAGES): archive.read(name) for name in names}


def rows_of(record: bytes) -> dict[str, tuple[str, str]]:
    rows = list(csv.reader(io.StringIO(record.decode(), newline="")))
    assert len({row[0] for row in rows}) == len(rows)
    return {path: (digest, size) for path, digest, size in rows}


def check_records(files: Mapping[str, bytes], *, without: Collection[str] = ()) -> None:
    """Every row of every RECORD is true, and every file is listed."""
    listed = set()
    for path, content in files.items():
        if not path.endswith(".dist-info/RECORD"):
            continue
        rows = rows_of(content)
        assert rows.pop(path) == ("", "")
        assert list(rows) == sorted(rows)
        for name, row in rows.items():
            if name not in without:
                assert row == (sha256_of(files[name]), str(len(files[name])))
        listed |= {path, *rows}
    assert listed == set(files)


def test_two_wheels(store: Store, wheel: Wheels) -> None:
    one = wheel(
        "one",
        {"one/__init__.py": b"one", "shared/__init__.py": b"same", "one/a b,c.txt": b"odd"},
        data={"scripts/tool": b"#!python\n", "headers/one.h": b"int x;", "data/share/x": b"x"},
        entry_points="[console_scripts]\nrun = one:main\n",
    )
    odd = dict.fromkeys(("ütf/é.py", "\U0001f600.py", "\uffee.py"), b"non-ascii")
    other = wheel("other", {"shared/__init__.py": b"same", **odd})
    _, segment = make_segment(store, [one, other], python="3.12", timestamp=TIMESTAMP)
    files = contents(segment)
    check_records(files)
    assert {path for path in files if ".dist-info" not in path} == {
        "one/__init__.py",
        "one/a b,c.txt",
        "shared/__init__.py",
        *odd,
        "bin/tool",
        "bin/run",
        "include/site/python3.12/one/one.h",
        "share/x",
    }
    assert files["one-1.0.dist-info/INSTALLER"] == b"azpack\n"
    assert files["bin/tool"] == b"#!/usr/bin/env python3\n"
    assert segment.collisions == ()
    assert not list(store.folder.glob("v1/tmp/*"))


def test_entries(store: Store, wheel: Wheels) -> None:
    one = wheel(
        "one",
        {"one/run.sh": b"#!/bin/sh\n", "one/text": b"text " * 99},
        modes={"one/run.sh": stat.S_IFREG | 0o755},
    )
    _, segment = make_segment(store, [one], python="3.12", timestamp=44 << 25 | 5 << 21 | 6 << 16)
    with zip_of(segment) as archive, zipfile.ZipFile(one.path) as source:
        script = archive.getinfo(f"{SITE_PACKAGES}one/run.sh")
        text = archive.getinfo(f"{SITE_PACKAGES}one/text")
        assert script.external_attr >> 16 == stat.S_IFREG | 0o755
        assert text.external_attr >> 16 == stat.S_IFREG | 0o644
        assert {info.date_time for info in archive.infolist()} == {(2024, 5, 6, 0, 0, 0)}
        assert text.compress_size == source.getinfo("one/text").compress_size < 495


def test_script_in_another_encoding(store: Store, wheel: Wheels) -> None:
    script = b"#!python\n# -*- coding: latin-1 -*-\n# caf\xe9\n"
    one = wheel("one", {}, data={"scripts/run": script})
    _, segment = make_segment(store, [one], python="3.12", timestamp=TIMESTAMP)
    files = contents(segment)
    assert files["bin/run"] == script.replace(b"#!python", b"#!/usr/bin/env python3")
    check_records(files)


def test_collision(store: Store, wheel: Wheels) -> None:
    """The winner is the first by name, whatever the order; all that collide are named."""
    wheels = [
        wheel(name, {"tests/__init__.py": name.encode(), "tests/same.py": b"", f"{name}.py": b""})
        for name in ("bbb", "aaa", "ccc")
    ]
    keys = set()
    for number, order in enumerate(itertools.permutations(wheels)):
        fresh = Store(store.folder.with_name(f"cache{number}"))
        key, segment = make_segment(fresh, order, python="3.12", timestamp=TIMESTAMP)
        keys.add(key)
        files = contents(segment)
        assert files["tests/__init__.py"] == b"aaa"
        check_records(files, without={"tests/__init__.py"})
        assert segment.collisions == (
            Collision("tests/__init__.py", "aaa", "bbb"),
            Collision("tests/__init__.py", "aaa", "ccc"),
        )
        assert find_segment(fresh, key) == segment
    assert len(keys) == 1


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("path", ["x/y", "x/y/z"])
def test_file_against_folder(path: str, turned: bool, store: Store, wheel: Wheels) -> None:
    wheels = [wheel("one", {"x": b"file"}), wheel("two", {path: b""})]
    if turned:
        wheels.reverse()
    with pytest.raises(WheelError, match="x is a file in one and a folder in two") as caught:
        make_segment(store, wheels, python="3.12", timestamp=TIMESTAMP)
    assert caught.value.code == "file-against-folder"
    assert caught.value.context == {"path": "x", "distributions": ["one", "two"]}
    assert not list(store.folder.glob("v1/segments/*"))
    assert not list(store.folder.glob("v1/tmp/*"))


def test_names_that_only_start_alike_do_not_collide(store: Store, wheel: Wheels) -> None:
    wheels = [wheel("one", {"x.py": b"", "x": b""}), wheel("two", {"xy/z": b"", "x-/z": b""})]
    _, segment = make_segment(store, wheels, python="3.12", timestamp=TIMESTAMP)
    assert {"x", "x.py", "x-/z", "xy/z"} < set(contents(segment))


def test_same_bytes_always(store: Store, wheel: Wheels) -> None:
    wheels = [wheel(f"w{i}", {f"w{i}/{j}.py": b"x" * j for j in range(5)}) for i in range(5)]
    found = set()
    for first in range(5):
        order = wheels[first:] + wheels[:first]
        fresh = Store(store.folder.with_name(f"cache{first}"))
        _, segment = make_segment(fresh, order, python="3.12", timestamp=TIMESTAMP)
        found.add(
            tuple(
                path.read_bytes()
                for path in (segment.data, segment.directory, segment.digest_lines)
            )
        )
    assert len(found) == 1


def test_what_the_key_depends_on(store: Store, wheel: Wheels) -> None:
    one, two = wheel("one", {}, data={"headers/a.h": b""}), wheel("two", {})
    calls: tuple[tuple[list[Wheel], str, int], ...] = (
        ([one, two], "3.12", TIMESTAMP),
        ([one], "3.12", TIMESTAMP),
        ([one, two], "3.11", TIMESTAMP),
        ([one, two], "3.12", TIMESTAMP + 1),
        ([], "3.12", TIMESTAMP),
    )
    keys = [
        make_segment(store, wheels, python=python, timestamp=timestamp)[0]
        for wheels, python, timestamp in calls
    ]
    assert len(set(keys)) == len(keys)
    turned, _ = make_segment(store, [two, one], python="3.12", timestamp=TIMESTAMP)
    assert turned == keys[0]


def test_no_wheels(store: Store) -> None:
    _, segment = make_segment(store, [], python="3.12", timestamp=TIMESTAMP)
    assert contents(segment) == {}


def test_reused_from_the_store(store: Store, wheel: Wheels) -> None:
    wheels = [wheel("one", {"one.py": b""})]
    key, first = make_segment(store, wheels, python="3.12", timestamp=TIMESTAMP)
    before = first.data.stat()
    os.unlink(wheels[0].path)  # not read again
    again, second = make_segment(store, wheels, python="3.12", timestamp=TIMESTAMP)
    after = second.data.stat()
    assert (key, first) == (again, second)
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert find_segment(store, "other") is None


def test_use_is_noted(store: Store, wheel: Wheels) -> None:
    key, _ = make_segment(store, [wheel("one", {})], python="3.12", timestamp=TIMESTAMP)
    os.utime(store.segment_folder(key), (0, 0))
    assert find_segment(store, key)
    assert store.segment_folder(key).stat().st_mtime > 0


def test_two_at_once(store: Store, wheel: Wheels, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = [wheel(f"w{i}", {f"w{i}.py": os.urandom(100_000)}) for i in range(3)]
    # Both have looked and found none before either writes.
    barrier = Barrier(2, timeout=10)
    merge = segment_module._merge

    def wait_and_merge(wheels: list[Wheel], cuts: Mapping[str, Cut], *, python: str) -> object:
        barrier.wait()
        return merge(wheels, cuts, python=python)

    monkeypatch.setattr(segment_module, "_merge", wait_and_merge)
    with ThreadPoolExecutor(2) as pool:
        futures = [
            pool.submit(make_segment, store, wheels, python="3.12", timestamp=TIMESTAMP)
            for _ in range(2)
        ]
        (key, first), (_, second) = [future.result() for future in futures]
    assert first == second == find_segment(store, key)
    check_records(contents(first))
    assert not list(store.folder.glob("v1/tmp/*"))


def test_many_wheels_and_few_open_files(
    store: Store, wheel: Wheels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_module, "_MOST_OPEN", 3)
    wheels = [wheel(f"w{i}", {f"shared/{i}.py": b"x" * i}) for i in range(12)]
    before = len(os.listdir("/dev/fd"))
    _, segment = make_segment(store, wheels, python="3.12", timestamp=TIMESTAMP)
    assert len(os.listdir("/dev/fd")) == before
    check_records(contents(segment))


def test_wheel_in_the_store_that_was_cut_off(store: Store, wheel: Wheels) -> None:
    one = wheel("one", {"large": os.urandom(200_000)})
    os.truncate(one.path, 1000)
    with pytest.raises(FileError, match="damaged") as caught:
        make_segment(store, [one], python="3.12", timestamp=TIMESTAMP)
    assert caught.value.code == "damaged-store"
    assert not list(store.folder.glob("v1/tmp/*"))


@pytest.mark.parametrize("name", ["meta.json", "data", "directory", "digest-lines"])
def test_segment_in_the_store_that_was_cut_off_is_made_again(
    store: Store, wheel: Wheels, name: str
) -> None:
    wheels = [wheel("one", {"one.py": b"1"})]
    key, _ = make_segment(store, wheels, python="3.12", timestamp=TIMESTAMP)
    file = store.segment_folder(key) / name
    whole = file.read_bytes()
    os.truncate(file, len(whole) // 2)
    assert find_segment(store, key) is None
    assert make_segment(store, wheels, python="3.12", timestamp=TIMESTAMP)[0] == key
    assert file.read_bytes() == whole


def test_wheel_for_other_pythons(store: Store, tmp_path: Path) -> None:
    metadata = "Metadata-Version: 2.1\nName: one\nVersion: 1.0\nRequires-Python: >=3.12.4\n"
    path = write_wheel(tmp_path, "one", "1.0", {"one.py": b""}, metadata=metadata)
    one = keep_wheel(store, path)
    make_segment(store, [one], python="3.12.4", timestamp=TIMESTAMP)
    with pytest.raises(WheelError, match=r"one 1\.0 needs Python >=3\.12\.4, the target is 3\.12"):
        make_segment(store, [one], python="3.12.3", timestamp=TIMESTAMP)


def test_contents_in_the_store_that_were_cut_off(store: Store, wheel: Wheels) -> None:
    one = wheel("one", {})
    os.truncate(one.path.parent / "contents.json", 10)
    with pytest.raises(FileError, match="damaged") as caught:
        make_segment(store, [one], python="3.12", timestamp=TIMESTAMP)
    assert caught.value.code == "damaged-store"


def test_member_that_zip64_describes(store: Store, tmp_path: Path, wheel: Wheels) -> None:
    """The place of the bytes comes from the wheel's own local header, extra field and all."""
    path = write_wheel(tmp_path, "one", "1.0", {"one.py": b"one" * 99})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
    assert struct.pack("<2H", 1, 16) in path.read_bytes()
    wheels = [keep_wheel(store, path), wheel("two", {})]
    _, segment = make_segment(store, wheels, python="3.12", timestamp=TIMESTAMP)
    files = contents(segment)
    assert files["one.py"] == b"one" * 99
    check_records(files)
    with zip_of(segment) as archive:
        assert {info.extra for info in archive.infolist()} == {b""}


def test_wheel_that_is_gone(store: Store, wheel: Wheels) -> None:
    one = wheel("one", {"a": b"abc"})
    os.unlink(one.path)
    with pytest.raises((AzpackError, FileNotFoundError)):
        make_segment(store, [one], python="3.12", timestamp=TIMESTAMP)
    assert not list(store.folder.glob("v1/tmp/*"))
