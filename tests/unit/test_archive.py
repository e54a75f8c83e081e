from __future__ import annotations

import errno
import io
import os
import stat
import struct
import tempfile
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azpack.archive import (
    DEFLATED,
    STORED,
    ArchiveError,
    Entry,
    Member,
    central_record,
    copy_range,
    data_offset,
    end_records,
    local_header,
    read_directory,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import IO, Literal

    from _typeshed import ReadableBuffer

GIB = 1 << 30
# 2024-05-06 07:08:10
TIMESTAMP = (44 << 9 | 5 << 5 | 6) << 16 | 7 << 11 | 8 << 5 | 5


def entry_of(name: str, content: bytes, *, method: int = DEFLATED, mode: int = 0o644) -> Entry:
    return Entry(
        name=name, mode=mode, method=method, crc=zlib.crc32(content),
        compressed_size=len(packed(content, method)), size=len(content), sha256="",
    )  # fmt: skip


def packed(content: bytes, method: int) -> bytes:
    if method == STORED:
        return content
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def write_zip(out: IO[bytes], entries: Iterable[tuple[Entry, bytes]]) -> None:
    """A zip as azpack writes it; the entries' bytes are given as they are to stand there."""
    offsets = []
    for entry, content in entries:
        offsets.append((entry, out.tell()))
        out.write(local_header(entry, timestamp=TIMESTAMP) + content)
    start = out.tell()
    for entry, offset in offsets:
        out.write(central_record(entry, offset, timestamp=TIMESTAMP))
    size = out.tell() - start
    out.write(end_records(count=len(offsets), size=size, offset=start))
    out.flush()


def members_of(content: bytes) -> tuple[Member, ...]:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return read_directory(file.fileno())


def read_all(file: IO[bytes]) -> dict[str, bytes]:
    """What `read_directory` and `data_offset` find, inflated; the CRC held against it."""
    found = {}
    for member in read_directory(file.fileno()):
        start = data_offset(file.fileno(), member)
        content = os.pread(file.fileno(), member.compressed_size, start)
        assert len(content) == member.compressed_size
        if member.method == DEFLATED:
            content = zlib.decompress(content, -zlib.MAX_WBITS)
        assert (len(content), zlib.crc32(content)) == (member.size, member.crc)
        found[member.name] = content
    return found


names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40
)


@given(
    contents=st.dictionaries(names, st.binary(max_size=200), max_size=8),
    modes=st.lists(st.sampled_from([0o644, 0o755]), min_size=8, max_size=8),
    methods=st.lists(st.sampled_from([STORED, DEFLATED]), min_size=8, max_size=8),
)
def test_what_is_written_is_read(
    contents: dict[str, bytes], modes: list[int], methods: list[int]
) -> None:
    entries = [
        entry_of(name, content, method=method, mode=mode)
        for (name, content), method, mode in zip(contents.items(), methods, modes, strict=False)
    ]
    with tempfile.TemporaryFile() as file:
        write_zip(file, [(entry, packed(contents[entry.name], entry.method)) for entry in entries])
        assert read_all(file) == contents
        members = read_directory(file.fileno())
        with zipfile.ZipFile(file) as archive:
            assert archive.testzip() is None
            infos = archive.infolist()
            assert {info.filename: archive.read(info) for info in infos} == contents
    for entry, member, info in zip(entries, members, infos, strict=True):
        assert member == Member(
            name=entry.name,
            raw_name=entry.name.encode(),
            flags=0 if entry.name.isascii() else 0x800,
            method=entry.method,
            crc=entry.crc,
            compressed_size=entry.compressed_size,
            size=entry.size,
            mode=stat.S_IFREG | entry.mode,
            header_offset=info.header_offset,
            timestamp=TIMESTAMP,
        )
        assert info.filename == entry.name
        assert (info.compress_type, info.CRC) == (entry.method, entry.crc)
        assert (info.compress_size, info.file_size) == (entry.compressed_size, entry.size)
        assert info.external_attr >> 16 == stat.S_IFREG | entry.mode
        assert (info.create_system, info.extract_version, info.extra) == (3, 20, b"")
        assert info.date_time == (2024, 5, 6, 7, 8, 10)


@pytest.mark.parametrize("size", [4 * GIB - 2, 4 * GIB - 1, 4 * GIB, 5 * GIB])
def test_large_entry_in_a_sparse_file(size: int, tmp_path: Path) -> None:
    large = Entry(
        name="large", mode=0o644, method=STORED, crc=1, compressed_size=size, size=size, sha256=""
    )
    small = entry_of("small", b"abc" * 50)
    with open(tmp_path / "a.zip", "w+b") as file:
        file.write(local_header(large, timestamp=TIMESTAMP))
        file.seek(size, os.SEEK_CUR)
        offset = file.tell()
        file.write(local_header(small, timestamp=TIMESTAMP) + packed(b"abc" * 50, DEFLATED))
        start = file.tell()
        file.write(central_record(large, 0, timestamp=TIMESTAMP))
        file.write(central_record(small, offset, timestamp=TIMESTAMP))
        file.write(end_records(count=2, size=file.tell() - start, offset=start))
        file.flush()
        first, second = read_directory(file.fileno())
        assert (first.size, first.compressed_size, first.header_offset) == (size, size, 0)
        assert (second.size, second.header_offset) == (150, offset)
        wide = size >= 4 * GIB - 1
        assert data_offset(file.fileno(), first) == 30 + len("large") + (20 if wide else 0)
        assert data_offset(file.fileno(), second) == offset + 30 + len("small")
        with zipfile.ZipFile(file) as archive:
            assert [info.file_size for info in archive.infolist()] == [size, 150]
            assert archive.getinfo("large").extract_version == (45 if wide else 20)
            assert archive.read("small") == b"abc" * 50
            with archive.open("large") as inside:
                assert inside.read(10) == bytes(10)


def test_large_entry_that_is_small_when_deflated() -> None:
    entry = Entry(
        name="a", mode=0o644, method=DEFLATED, crc=1, compressed_size=3, size=5 * GIB, sha256=""
    )
    with tempfile.TemporaryFile() as file:
        write_zip(file, [(entry, b"abc")])
        (member,) = read_directory(file.fileno())
        assert (member.size, member.compressed_size) == (5 * GIB, 3)
        start = data_offset(file.fileno(), member)
        assert os.pread(file.fileno(), 3, start) == b"abc"
        header = os.pread(file.fileno(), start, 0)
        with zipfile.ZipFile(file) as archive:
            (info,) = archive.infolist()
            assert (info.file_size, info.compress_size) == (5 * GIB, 3)
    # Where the extra field of the local header stands, both sizes must (APPNOTE 4.5.3).
    assert header[18:26] == b"\xff" * 8
    assert header[-20:] == struct.pack("<2H2Q", 1, 16, 5 * GIB, 3)


@pytest.mark.parametrize("count", [0xFFFE, 0xFFFF, 0x10000])
def test_many_entries(count: int) -> None:
    with tempfile.TemporaryFile() as file:
        write_zip(file, ((entry_of(f"{i}", b"", method=STORED), b"") for i in range(count)))
        names = [member.name for member in read_directory(file.fileno())]
        with zipfile.ZipFile(file) as archive:
            assert archive.namelist() == names
        assert names == [str(i) for i in range(count)]
        file.seek(-22 - 20, os.SEEK_END)
        assert (file.read(4) == b"PK\6\7") == (count >= 0xFFFF)


def test_directory_with_wide_records_by_zipfile(tmp_path: Path) -> None:
    with open(tmp_path / "a.zip", "w+b") as file:
        file.truncate(12 * GIB)
        with zipfile.ZipFile(file, "a") as archive:
            for name, size, compressed_size, offset in (
                ("all", 6 * GIB, 5 * GIB, 5 * GIB),
                ("size", 6 * GIB, 1, 2),
                ("offset", 6, 7, 5 * GIB),
            ):
                info = zipfile.ZipInfo(name)
                info.file_size, info.compress_size, info.CRC = size, compressed_size, 0
                info.header_offset = offset
                # Before the ZIP64 one stands another extra field, as many tools write them.
                info.extra = struct.pack("<2H5s", 0x5455, 5, b"\1" * 5)
                archive.filelist.append(info)
            archive.comment = b"a comment makes it write the directory"
        members = read_directory(file.fileno())
    assert [(m.size, m.compressed_size, m.header_offset) for m in members] == [
        (6 * GIB, 5 * GIB, 5 * GIB),
        (6 * GIB, 1, 2),
        (6, 7, 5 * GIB),
    ]


class Unseekable(io.RawIOBase):
    """What a pipe is to zipfile: sizes go into data descriptors."""

    def __init__(self, out: IO[bytes]) -> None:
        self.out = out

    def writable(self) -> bool:
        return True

    def write(self, content: ReadableBuffer) -> int:
        return self.out.write(content)


ODD = {"a.txt": b"a" * 500, "b/c.bin": bytes(range(256)), "empty": b"", "é.txt": b"e"}


@pytest.mark.parametrize("method", [STORED, DEFLATED])
def test_data_descriptors(method: int) -> None:
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(Unseekable(file), "w", method) as archive:
            for name, content in ODD.items():
                archive.writestr(name, content)
        file.flush()
        assert all(member.flags & 8 for member in read_directory(file.fileno()))
        assert read_all(file) == ODD


def test_zip64_extra_in_the_local_header_alone() -> None:
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", DEFLATED) as archive:
            for name, content in ODD.items():
                with archive.open(name, "w", force_zip64=True) as member:
                    member.write(content)
        file.flush()
        assert read_all(file) == ODD


def test_comment_after_the_end_record() -> None:
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a", b"abc")
            archive.comment = b"x" * 0xFFFF
        file.flush()
        assert read_all(file) == {"a": b"abc"}


def test_names_in_cp437() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("caf?.txt", b"abc")
    content = out.getvalue().replace(b"caf?", b"caf\x82")
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        assert read_all(file) == {"café.txt": b"abc"}


def test_folders_and_what_is_not_made_on_unix() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a/", b"")
        archive.writestr("a/b/", b"with data")
        info = zipfile.ZipInfo("a/c")
        info.create_system = 0
        info.external_attr = 0o100755 << 16
        archive.writestr(info, b"")
    found = members_of(out.getvalue())
    assert [(m.name, m.is_folder, m.is_encrypted) for m in found] == [
        ("a/", True, False),
        ("a/b/", True, False),
        ("a/c", False, False),
    ]
    assert found[2].mode == 0


def test_empty_zip() -> None:
    assert members_of(end_records(count=0, size=0, offset=0)) == ()
    out = io.BytesIO()
    zipfile.ZipFile(out, "w").close()
    assert members_of(out.getvalue()) == ()


def zip_of(*parts: bytes, count: int = 1, size: int | None = None, offset: int = 0) -> bytes:
    """Local data, then the directory's records, then the end."""
    data, records = parts[0], b"".join(parts[1:])
    return (
        data
        + records
        + end_records(
            count=count, size=len(records) if size is None else size, offset=offset or len(data)
        )
    )


SOUND = entry_of("a", b"abc", method=STORED)
HEADER = local_header(SOUND, timestamp=0) + b"abc"
RECORD = central_record(SOUND, 0, timestamp=0)
UTF8 = entry_of("é", b"", method=STORED)
WIDE = Entry(name="a", mode=0, method=0, crc=0, compressed_size=9 * GIB, size=9 * GIB, sha256="")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no end record"),
        (b"PK\5\6", "no end record"),
        (b"not a zip at all" * 100, "no end record"),
        (zip_of(HEADER, RECORD) + b"x", "not at the end"),
        (zip_of(HEADER, RECORD)[:-1], "no end record"),
        (zip_of(HEADER, RECORD, count=2), "has 1 entries, its end record says 2"),
        (zip_of(HEADER, RECORD, RECORD), "has 2 entries, its end record says 1"),
        (zip_of(HEADER, RECORD, size=len(RECORD) - 1), "does not end where"),
        (zip_of(HEADER, RECORD, offset=1), "does not end where"),
        (b"prefix" + zip_of(HEADER, RECORD), "does not end where"),
        (zip_of(HEADER, b"XX" + RECORD[2:]), "directory is damaged"),
        (zip_of(HEADER, RECORD[:-1]), "directory is damaged"),
        (zip_of(HEADER, RECORD[:20]), "directory is damaged"),
        (zip_of(HEADER, central_record(SOUND, 1, timestamp=0)), "'a' does not lie within"),
        (zip_of(HEADER, central_record(SOUND, 5 * GIB, timestamp=0)), "'a' does not lie within"),
        (zip_of(HEADER, central_record(WIDE, 0, timestamp=0)), "'a' does not lie within"),
        (
            zip_of(HEADER, central_record(UTF8, 0, timestamp=0).replace("é".encode(), b"\xff\xfe")),
            "is not UTF-8",
        ),
        # The sizes point to an extra field that is not there, is another, or is cut off.
        (zip_of(HEADER, RECORD[:20] + b"\xff" * 8 + RECORD[28:]), "ZIP64 extra field"),
        (
            zip_of(HEADER, central_record(WIDE, 0, timestamp=0).replace(b"\1\0\x10", b"\2\0\x10")),
            "ZIP64 extra field",
        ),
        (
            zip_of(HEADER, central_record(WIDE, 0, timestamp=0).replace(b"\1\0\x10", b"\1\0\x08")),
            "ZIP64 extra field",
        ),
        (
            zip_of(
                HEADER,
                (wide := central_record(WIDE, 0, timestamp=0))[:30] + b"\6" + wide[31 : 47 + 6],
            ),
            "ZIP64 extra field",
        ),
    ],
)
def test_damaged_directories(content: bytes, said: str) -> None:
    with pytest.raises(ArchiveError, match=said):
        members_of(content)


@pytest.mark.parametrize("end", [0, 1000, 2**32, 2**63 - 1, 2**63, 2**64 - 1])
def test_locator_that_points_anywhere(end: int) -> None:
    content = HEADER + RECORD + struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    with pytest.raises(ArchiveError, match="ZIP64 end record is missing"):
        members_of(content + end_records(count=1, size=len(RECORD), offset=len(HEADER)))


def test_zip_of_several_volumes() -> None:
    content = bytearray(zip_of(HEADER, RECORD))
    content[-18] = 1
    with pytest.raises(ArchiveError, match="several volumes"):
        members_of(bytes(content))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda header: b"XX" + header[2:], id="signature"),
        pytest.param(lambda header: header[:6] + b"\1" + header[7:], id="encrypted"),
        pytest.param(lambda header: header[:7] + b"\x08" + header[8:], id="utf-8"),
        pytest.param(lambda header: header[:8] + b"\x08" + header[9:], id="method"),
        pytest.param(lambda header: header[:14] + b"\0" + header[15:], id="crc"),
        pytest.param(lambda header: header[:18] + b"\2" + header[19:], id="compressed size"),
        pytest.param(lambda header: header[:22] + b"\2" + header[23:], id="size"),
        pytest.param(lambda header: header[:26] + b"\2" + header[27:], id="name length"),
        pytest.param(lambda header: header[:30] + b"b" + header[31:], id="name"),
    ],
)
def test_local_header_that_contradicts_the_directory(damage: object) -> None:
    assert callable(damage)
    with tempfile.TemporaryFile() as file:
        file.write(zip_of(damage(HEADER), RECORD))
        file.flush()
        (member,) = read_directory(file.fileno())
        with pytest.raises(ArchiveError, match=r"'a'.* local header"):
            data_offset(file.fileno(), member)


def odd_zips() -> Iterator[bytes]:
    yield zip_of(HEADER, RECORD)
    yield zip_of(local_header(WIDE, timestamp=0), central_record(WIDE, 0, timestamp=0))
    with tempfile.TemporaryFile() as file:
        entry = Entry(name="é", mode=0, method=8, crc=0, compressed_size=3, size=5 * GIB, sha256="")
        write_zip(file, [(entry, b"abc"), (SOUND, b"abc")])
        file.seek(0)
        yield file.read()
    records = RECORD * 2
    wide_end = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 2, 2, len(records), len(HEADER)
    )
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(HEADER) + len(records), 1)
    end = b"PK\5\6" + bytes(4) + b"\xff" * 12 + b"\3\0abc"
    yield HEADER + records + wide_end + locator + end
    for streamed in (False, True):
        out = io.BytesIO()
        target = Unseekable(out) if streamed else out
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr(zipfile.ZipInfo("a/"), b"")
            archive.writestr(zipfile.ZipInfo("a/b"), b"abc" * 9, DEFLATED)
        yield out.getvalue()


ODD_ZIPS = tuple(odd_zips())
PATCHES = st.lists(
    st.tuples(
        st.integers(0, 1000),
        st.binary(min_size=1, max_size=9) | st.sampled_from([b"\xff" * 4, b"\xff" * 8, bytes(8)]),
    ),
    max_size=3,
)


def test_what_is_damaged_below_is_sound_before() -> None:
    for content in ODD_ZIPS:
        assert len(content) < 1000
        if content is not ODD_ZIPS[1]:  # it says 9 GiB, which are not there
            assert members_of(content)


@given(
    content=st.sampled_from(ODD_ZIPS),
    patches=PATCHES,
    start=st.just(0) | st.integers(0, 300),
    end=st.none() | st.integers(0, 600),
)
def test_damage_has_one_error(
    content: bytes, patches: list[tuple[int, bytes]], start: int, end: int | None
) -> None:
    damaged = bytearray(content)
    for position, patch in patches:
        position %= len(content)
        damaged[position : position + len(patch)] = patch
    with tempfile.TemporaryFile() as file:
        file.write(damaged[start:end])
        file.flush()
        try:
            for member in read_directory(file.fileno()):
                data_offset(file.fileno(), member)
        except ArchiveError:
            pass


def test_name_that_is_too_long() -> None:
    with pytest.raises(ArchiveError, match="longer than a zip can hold"):
        local_header(entry_of("é" * 0x8000, b""), timestamp=0)
    assert local_header(entry_of("a" * 0xFFFF, b""), timestamp=0)


CONTENT = os.urandom(300_000)


def copied(tmp_path: Path, offset: int, length: int, *, mode: Literal["wb", "w+b"]) -> bytes:
    """What stands in a file when something was copied behind `before`, and `after` written."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(CONTENT)
    with open(source, "rb") as file, open(target, mode) as out:
        out.write(b"before")
        copy_range(file.fileno(), offset, length, out)
        out.write(b"after")
    content = target.read_bytes()
    assert content.startswith(b"before")
    assert content.endswith(b"after")
    return content[6:-5]


@pytest.mark.parametrize("mode", ["wb", "w+b"])
@pytest.mark.parametrize(("offset", "length"), [(0, 300_000), (5, 10), (1, 200_000), (300_000, 0)])
def test_copy(mode: Literal["wb", "w+b"], offset: int, length: int, tmp_path: Path) -> None:
    assert copied(tmp_path, offset, length, mode=mode) == CONTENT[offset : offset + length]


@pytest.mark.parametrize("mode", ["wb", "w+b"])
@pytest.mark.parametrize("answer", [errno.EXDEV, errno.ENOSYS, errno.EPERM, 0, "few", "few, 0"])
def test_copy_where_the_kernel_does_not(
    answer: int | str, mode: Literal["wb", "w+b"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def copy_file_range(source: int, out: int, length: int, offset: int) -> int:
        calls.append(length)
        if isinstance(answer, int):
            if answer:
                raise OSError(answer, os.strerror(answer))
            return 0
        if answer == "few, 0" and len(calls) == 3:
            return 0
        return os.write(out, os.pread(source, min(length, 70_000), offset))

    monkeypatch.setattr(os, "copy_file_range", copy_file_range, raising=False)
    assert copied(tmp_path, 7, 250_000, mode=mode) == CONTENT[7:250_007]
    assert calls


def test_full_disk_while_copying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy_file_range(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "copy_file_range", copy_file_range, raising=False)
    with pytest.raises(OSError, match="No space left"):
        copied(tmp_path, 0, 300_000, mode="wb")


@pytest.mark.parametrize(("offset", "length"), [(299_999, 2), (0, 300_001), (10**9, 10**9)])
def test_copying_more_than_there_is(offset: int, length: int, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="shorter"):
        copied(tmp_path, offset, length, mode="wb")
