from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tracemalloc
import zipfile
from typing import TYPE_CHECKING

import pytest

from azpack.app.collect import FileSet
from azpack.archive import copy_range, read_directory
from azpack.errors import FileError, UsageError
from azpack.package import assemble as assemble_module
from azpack.package.assemble import PackedFile, assemble, zip_timestamp
from azpack.package.segment import SITE_PACKAGES, make_segment
from azpack.store import Store
from tests.wheels import keep_wheel, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from azpack.package.assemble import Package
    from azpack.package.segment import Segment

TIMESTAMP = zip_timestamp({})
MIB = 1 << 20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    return folder


@pytest.fixture
def segment(tmp_path: Path) -> Segment:
    store = Store(tmp_path / "cache")
    wheels = [
        write_wheel(tmp_path, "one", "1.0", {"one/__init__.py": b"one" * 99, "é.py": b""}),
        write_wheel(tmp_path, "two", "1.0", {"two.bin": os.urandom(200_000)}),
    ]
    kept = [keep_wheel(store, path) for path in wheels]
    return make_segment(store, kept, python="3.12", timestamp=TIMESTAMP)[1]


def make(root: Path, files: Mapping[str, bytes]) -> list[str]:
    """Write the files; return their paths as collecting does, sorted."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return sorted(files, key=str.encode)


def files_of(root: Path, paths: list[str]) -> FileSet:
    return FileSet(root=root, included=tuple(paths), ignored=(), kept_by={})


def build(
    root: Path, paths: list[str], segment: Segment | None = None, *, checksum: bool = False
) -> Package:
    return assemble(
        files_of(root, paths),
        segment,
        root.parent / "out.zip",
        timestamp=TIMESTAMP,
        checksum=checksum,
    )


def check(package: Package, files: Mapping[str, bytes], segment: Segment | None = None) -> None:
    """Hold a package against its zip as Python's zipfile reads it."""
    assert package.size == package.path.stat().st_size
    digest = hashlib.sha256()
    with zipfile.ZipFile(package.path) as archive:
        assert archive.testzip() is None
        infos = archive.infolist()
        names = [info.filename for info in infos]
        assert names == sorted(set(names), key=str.encode)
        assert package.entries == len(names)
        assert package.uncompressed_size == sum(info.file_size for info in infos)
        for info in sorted(infos, key=lambda info: info.filename.encode()):
            mode = info.external_attr >> 16
            assert mode in (stat.S_IFREG | 0o644, stat.S_IFREG | 0o755)
            assert info.create_system == 3
            assert info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            content = hashlib.sha256(archive.read(info)).hexdigest()
            line = f"{info.filename}\0{stat.S_IMODE(mode):o}\0{content}\n"
            digest.update(line.encode())
        app = {name for name in names if not name.startswith(SITE_PACKAGES)}
        assert {name: archive.read(name) for name in app} == files
        assert len(names) - len(app) == (segment.entries if segment else 0)
        packed = [
            PackedFile(
                path=name,
                mode=stat.S_IMODE(archive.getinfo(name).external_attr >> 16),
                size=len(files[name]),
                sha256=hashlib.sha256(files[name]).hexdigest(),
            )
            for name in sorted(app, key=str.encode)
        ]
    assert list(package.files) == packed
    assert package.content_digest == digest.hexdigest()
    if package.sha256 is not None:
        assert package.sha256 == hashlib.sha256(package.path.read_bytes()).hexdigest()


APP = {
    "!first.py": b"before .python_packages",
    ".a": b"",
    ".python_package": b"a",
    "-": b"-",
    "function_app.py": b"import one\n" * 99,
    "host.json": b"{}",
    "ünïcode/日本.py": b"x" * 1000,
    "\U0001f600.txt": b"",
    "\uffee.txt": b"sorted before the one above by UTF-16, after by UTF-8",
}


@pytest.mark.parametrize("checksum", [False, True])
def test_package(checksum: bool, root: Path, segment: Segment) -> None:
    package = build(root, make(root, APP), segment, checksum=checksum)
    check(package, APP, segment)
    assert (package.sha256 is not None) == checksum
    with zipfile.ZipFile(package.path) as archive:
        names = archive.namelist()
    border = [name.startswith(SITE_PACKAGES) for name in names]
    assert border[0] is border[-1] is False
    assert border.count(True) == segment.entries
    assert names[border.index(True) - 1] == ".python_package"


@pytest.mark.parametrize("paths", [["!"], ["host.json"], []])
def test_all_files_on_one_side_of_the_dependencies(
    paths: list[str], root: Path, segment: Segment
) -> None:
    files = dict.fromkeys(paths, b"abc")
    check(build(root, make(root, files), segment, checksum=True), files, segment)


def test_without_dependencies(root: Path) -> None:
    check(build(root, make(root, APP), checksum=True), APP)
    check(build(root, [], checksum=True), {})


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB])
@pytest.mark.parametrize("kind", ["text", "random"])
def test_sizes(size: int, kind: str, root: Path) -> None:
    content = os.urandom(size) if kind == "random" else (b"some text\n" * (size // 10 + 1))[:size]
    files = {"a": b"before", "file": content, "z": b"after" * 99}
    package = build(root, make(root, files), checksum=True)
    check(package, files)
    with zipfile.ZipFile(package.path) as archive:
        info = archive.getinfo("file")
        assert info.compress_size <= size
        stored = kind == "random" or size < 2
        assert info.compress_type == (zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)


def test_large_file_that_shrinks_only_at_first(root: Path) -> None:
    """Deflating gives less than the raw so long, and more in the end."""
    files = {"file": os.urandom(3 * MIB), "z": b"after"}
    paths = make(root, files)
    (root.parent / "out.zip").write_bytes(b"old")
    check(build(root, paths, checksum=True), files)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (0o644, 0o644),
        (0o600, 0o644),
        (0o666, 0o644),
        (0o755, 0o755),
        (0o700, 0o755),
        (0o645, 0o755),
        (0o4755, 0o755),
    ],
)
def test_modes(mode: int, expected: int, root: Path) -> None:
    paths = make(root, {"a": b"abc"})
    (root / "a").chmod(mode)
    package = build(root, paths)
    assert package.files[0].mode == expected
    check(package, {"a": b"abc"})


def test_same_bytes_always(root: Path, segment: Segment) -> None:
    files = {**APP, "large": b"large" * MIB, "random": hashlib.shake_256(b"").digest(2 * MIB)}
    other = root.parent / "elsewhere" / "app"
    first = build(root, make(root, files), segment, checksum=True)
    before = os.umask(0o077)
    try:
        make(other, dict(reversed(files.items())))
        for path in files:
            os.utime(other / path, (0, 0))
        second = build(other, sorted(files, key=str.encode), segment, checksum=True)
    finally:
        os.umask(before)
    assert first.path != second.path
    assert first.path.read_bytes() == second.path.read_bytes()
    assert (first.sha256, first.content_digest) == (second.sha256, second.content_digest)


def test_what_the_content_digest_tells_apart(root: Path) -> None:
    digests = {build(root, make(root, {"a": b"1", "b": b""})).content_digest}
    digests.add(build(root, ["a"]).content_digest)
    digests.add(build(root, [*make(root, {"a": b"2"}), "b"]).content_digest)
    (root / "b").chmod(0o755)
    digests.add(build(root, ["a", "b"]).content_digest)
    assert len(digests) == 4
    files = files_of(root, ["a", "b"])
    later = assemble(files, None, root.parent / "b.zip", timestamp=TIMESTAMP + 1)
    assert later.content_digest in digests


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (None, (1980, 1, 1, 0, 0, 0)),
        ("", (1980, 1, 1, 0, 0, 0)),
        ("1767225601", (2026, 1, 1, 0, 0, 0)),
        ("1714979290", (2024, 5, 6, 7, 8, 10)),
        ("0", (1980, 1, 1, 0, 0, 0)),
        ("-1", (1980, 1, 1, 0, 0, 0)),
        ("315532799", (1980, 1, 1, 0, 0, 0)),
        ("315532802", (1980, 1, 1, 0, 0, 2)),
        ("4354819199", (2107, 12, 31, 23, 59, 58)),
        ("4354819200", (2107, 12, 31, 23, 59, 58)),
        ("99999999999", (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_time(epoch: str | None, expected: tuple[int, ...], root: Path) -> None:
    timestamp = zip_timestamp({} if epoch is None else {"SOURCE_DATE_EPOCH": epoch})
    output = root.parent / "out.zip"
    files = files_of(root, make(root, {"a": b"a" * 99, "b": b""}))
    assemble(files, None, output, timestamp=timestamp)
    with zipfile.ZipFile(output) as archive:
        assert {info.date_time for info in archive.infolist()} == {expected}


@pytest.mark.parametrize(
    "epoch", ["now", "1.5", "1e9", "0x10", "10000000000000000000", "9" * 5000, "2026-01-01"]
)
def test_time_that_is_none(epoch: str) -> None:
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH") as caught:
        zip_timestamp({"SOURCE_DATE_EPOCH": epoch})
    assert caught.value.code == "invalid-source-date-epoch"


def failure(root: Path, paths: list[str], segment: Segment | None = None) -> FileError:
    """Build what can't be built; an old package must outlive it, and nothing else stay."""
    output = root.parent / "dist" / "out.zip"
    output.parent.mkdir(exist_ok=True)
    output.write_bytes(b"old")
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(FileError) as caught:
        assemble(files_of(root, paths), segment, output, timestamp=TIMESTAMP)
    assert os.listdir(output.parent) == ["out.zip"]
    assert output.read_bytes() == b"old"
    assert len(os.listdir("/dev/fd")) == before
    return caught.value


def meanwhile(monkeypatch: pytest.MonkeyPatch, path: Path, change: Callable[[Path], None]) -> None:
    """Change a file when it has been opened and looked at, before it is read."""
    fstat = os.fstat
    changed: list[Path] = []

    def look(fd: int) -> os.stat_result:
        found = fstat(fd)
        if not changed and (found.st_dev, found.st_ino) == (place.st_dev, place.st_ino):
            changed.append(path)
            change(path)
        return found

    place = path.stat()
    monkeypatch.setattr(os, "fstat", look)


def grow(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, 5)


def touch(path: Path) -> None:
    """Other bytes of the same number."""
    with open(path, "r+b") as file:
        file.write(b"other")
    os.utime(path, ns=(0, 12345))


@pytest.mark.parametrize("change", [grow, shrink, touch])
@pytest.mark.parametrize("content", [b"abc" * 9, b"abc" * MIB, os.urandom(2 * MIB)])
def test_file_that_changes(
    change: Callable[[Path], None], content: bytes, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = make(root, {"a": b"a", "file": content})
    meanwhile(monkeypatch, root / "file", change)
    error = failure(root, paths)
    assert (error.code, error.message) == ("changed", "file changed while it was packed")


@pytest.mark.parametrize("content", [b"abc" * 9, b"abc" * MIB, os.urandom(2 * MIB)])
@pytest.mark.parametrize("more", [-1, 1])
def test_size_that_is_not_true(
    content: bytes, more: int, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Network file systems may tell an old size, before and after."""
    fstat = os.fstat

    def look(fd: int) -> os.stat_result:
        found = list(fstat(fd))
        found[stat.ST_SIZE] += more
        return os.stat_result(found)

    paths = make(root, {"a": b"a", "file": content})
    monkeypatch.setattr(os, "fstat", look)
    assert failure(root, ["file"]).code == "changed"
    assert failure(root, paths).code == "changed"


def test_file_that_is_not_what_its_bytecode_is_of(root: Path) -> None:
    make(root, {"a.py": b"a = 1\n"})
    output = root.parent / "out.zip"
    written = {"__pycache__/a.cpython-312.pyc": b"bytecode"}
    for source, refused in ((b"a = 1\n", False), (b"a = 2\n", True)):
        compiled = {"a.py": hashlib.sha256(source).hexdigest()}
        arguments = (files_of(root, ["a.py"]), None, output)
        if refused:
            with pytest.raises(FileError) as caught:
                assemble(*arguments, timestamp=TIMESTAMP, written=written, compiled=compiled)
            assert caught.value.code == "changed"
        else:
            assemble(*arguments, timestamp=TIMESTAMP, written=written, compiled=compiled)
    with zipfile.ZipFile(output) as package:
        assert set(package.namelist()) == {"a.py", *written}


def test_file_that_shrinks_before_it_is_stored(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = make(root, {"file": os.urandom(2 * MIB)})

    def shrink_and_copy(source: int, offset: int, length: int, out: BinaryIO) -> None:
        shrink(root / "file")
        copy_range(source, offset, length, out)

    monkeypatch.setattr(assemble_module, "copy_range", shrink_and_copy)
    error = failure(root, paths)
    assert error.code == "changed"
    assert error.hint


def test_file_that_is_replaced_by_another_stays_whole(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Editors write a new file and rename it: what was opened is still what it was."""

    def replace(path: Path) -> None:
        path.with_name("new").write_bytes(b"new")
        path.with_name("new").replace(path)

    paths = make(root, {"file": b"old"})
    meanwhile(monkeypatch, root / "file", replace)
    check(build(root, paths), {"file": b"old"})


def test_file_that_vanished(root: Path, segment: Segment) -> None:
    paths = make(root, {"a": b"a", "b/file": b""})
    (root / "b" / "file").unlink()
    error = failure(root, paths, segment)
    assert (error.code, error.message) == ("vanished", "b/file went away while it was packed")
    (root / "b").rmdir()
    assert failure(root, paths).code == "vanished"
    (root / "b").touch()
    assert failure(root, paths).code == "vanished"


def test_folder_in_the_place_of_the_file(root: Path) -> None:
    (root / "file").mkdir()
    error = failure(root, ["file"])
    assert (error.code, error.message) == ("unreadable", "file can't be read: Is a directory")


def test_special_file(root: Path) -> None:
    (root / "file").symlink_to(os.devnull)
    assert failure(root, ["file"]).code == "not-a-regular-file"


def test_file_that_may_not_be_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    paths = make(root, {"file": b""})
    with monkeypatch.context() as patched:  # pytest itself needs it afterwards
        patched.setattr(os, "fstat", refuse)
        error = failure(root, paths)
    assert (error.code, error.message) == ("unreadable", "file can't be read: Permission denied")
    assert ".funcignore" in error.hint


def test_full_disk(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    paths = make(root, {"file": b"abc"})
    monkeypatch.setattr(assemble_module, "central_record", refuse)
    error = failure(root, paths)
    assert error.code == "disk-full"
    assert error.message.endswith("out.zip can't be written: No space left on device")


def test_segment_that_was_cut_off(root: Path, segment: Segment) -> None:
    os.truncate(segment.data, segment.data_size - 1)
    error = failure(root, make(root, APP), segment)
    assert error.code == "damaged-store"
    assert "azpack cache clear" in error.hint


def test_segment_that_went_away(root: Path, segment: Segment) -> None:
    shutil.rmtree(segment.data.parent)
    output = root.parent / "dist" / "out.zip"
    for checksum in (False, True):
        with pytest.raises((FileError, FileNotFoundError)):
            assemble(files_of(root, []), segment, output, timestamp=TIMESTAMP, checksum=checksum)
        assert os.listdir(output.parent) == []


def test_output_in_a_new_folder(root: Path) -> None:
    output = root / "dist" / "deep" / "out.zip"
    package = assemble(files_of(root, make(root, {"a": b""})), None, output, timestamp=TIMESTAMP)
    assert package.path == output
    check(package, {"a": b""})


def test_memory_does_not_grow_with_the_files(root: Path) -> None:
    paths = make(root, {"random": os.urandom(20 * MIB)})
    with open(root / "sparse", "wb") as file:
        file.truncate(200 * MIB)
    tracemalloc.start()
    try:
        package = build(root, [*paths, "sparse"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * MIB
    assert package.uncompressed_size == 220 * MIB
    assert 20 * MIB < package.size < 21 * MIB


@pytest.mark.parametrize("kernel", [False, True])
def test_copying_with_and_without_the_kernel(
    kernel: bool, root: Path, segment: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kernel:
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    files = {**APP, "random": os.urandom(2 * MIB)}
    check(build(root, make(root, files), segment, checksum=True), files, segment)


def test_a_zip_that_is_not_accepted(tmp_path: Path) -> None:
    root = tmp_path / "root"
    paths = make(root, {"a": b"a"})
    output = tmp_path / "app.zip"
    output.write_bytes(b"old")

    def refuse(fd: int) -> None:
        assert [entry.name for entry in read_directory(fd)] == ["a"]
        raise UsageError("refused", "no")

    with pytest.raises(UsageError):
        assemble(files_of(root, paths), None, output, timestamp=TIMESTAMP, accept=refuse)
    assert output.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir() if path != root] == ["app.zip"]
