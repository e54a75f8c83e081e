"""From the project's files and the dependencies' segment to the zip, in one pass."""

from __future__ import annotations

import hashlib
import os
import stat
import time
import zlib
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from azpack.archive import (
    DEFLATED,
    STORED,
    ArchiveError,
    Entry,
    central_record,
    copy_range,
    end_records,
    local_header,
)
from azpack.atomic import replacing
from azpack.errors import FileError, UsageError
from azpack.package.segment import SITE_PACKAGES, deflate, digest_line
from azpack.store import damaged_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from azpack.app.collect import FileSet
    from azpack.package.segment import Segment

_CHUNK = 1 << 20
_HELD_IN_MEMORY = 1 << 20
# The first and the last moment that a zip can hold.
_DOS_EPOCH = 1980 - 1980 << 25 | 1 << 21 | 1 << 16
_DOS_END = (2107 - 1980 << 9 | 12 << 5 | 31) << 16 | 23 << 11 | 59 << 5 | 58 // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedFile:
    """A file of the project in the zip; `size` in bytes, uncompressed."""

    path: str
    mode: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A finished zip: sizes in bytes, `sha256` only where a checksum was asked for.

    `content_digest` is the SHA-256 over name, mode and content hash of every entry, in the order
    of the names: `NAME NUL OCTAL-MODE NUL SHA256 LF` each. Equal digest, equal content.
    """

    path: Path
    content_digest: str
    sha256: str | None
    size: int
    uncompressed_size: int
    entries: int
    files: tuple[PackedFile, ...]


def zip_timestamp(environ: Mapping[str, str]) -> int:
    """The time of all entries, in DOS form with the date high: 1980-01-01 or SOURCE_DATE_EPOCH.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is not a whole number of seconds.
    """
    epoch = environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return _DOS_EPOCH
    try:
        moment = time.gmtime(int(epoch))
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            "invalid-source-date-epoch",
            f"SOURCE_DATE_EPOCH is {epoch!r}",
            hint="it takes seconds since 1970 as a whole number, such as 1767225600",
        ) from None
    if moment.tm_year < 1980:
        return _DOS_EPOCH
    if moment.tm_year > 2107:
        return _DOS_END
    date = moment.tm_year - 1980 << 9 | moment.tm_mon << 5 | moment.tm_mday
    return date << 16 | moment.tm_hour << 11 | moment.tm_min << 5 | moment.tm_sec // 2


def assemble(
    files: FileSet,
    segment: Segment | None,
    output: Path,
    *,
    timestamp: int,
    checksum: bool = False,
    written: Mapping[str, bytes] = MappingProxyType({}),
    compiled: Mapping[str, str] = MappingProxyType({}),
    accept: Callable[[int], None] | None = None,
) -> Package:
    """Write the zip of a project's files and of the dependencies in `segment`.

    `written` are small files that no project has, or that stand in the place of its own: their
    contents by path. `compiled` are the SHA-256 of the files that `written` has the bytecode of.
    `output` is replaced only when the zip is whole, and `accept`, given the descriptor of its file,
    has raised nothing. Memory does not grow with the size of the files.

    Raises:
        FileError: a file can't be read, or changes meanwhile, or the zip can't be written.
    """
    with replacing(output) as out:
        hasher = _SegmentHasher(segment) if checksum and segment is not None else None
        data_size = _copy_segment(out, segment) if segment is not None else 0
        entries = _write_files(out, files, written, compiled, timestamp=timestamp)
        content_digest, count = _write_directory(out, entries, segment, timestamp=timestamp)
        size = out.tell()
        sha256 = None
        if checksum:
            digest = hasher.result() if hasher is not None else hashlib.sha256()
            _hash_rest(out, digest, start=data_size)
            sha256 = digest.hexdigest()
        if accept is not None:
            out.flush()
            accept(out.fileno())
    return Package(
        path=output,
        content_digest=content_digest,
        sha256=sha256,
        size=size,
        uncompressed_size=sum(entry.size for entry, _ in entries)
        + (segment.uncompressed_size if segment is not None else 0),
        entries=count,
        files=tuple(
            PackedFile(path=entry.name, mode=entry.mode, size=entry.size, sha256=entry.sha256)
            for entry, _ in entries
        ),
    )


def _copy_segment(out: BinaryIO, segment: Segment) -> int:
    """Write the dependencies to the beginning; return how many bytes they are."""
    with open(segment.data, "rb") as data:
        try:
            copy_range(data.fileno(), 0, segment.data_size, out)
        except ArchiveError as error:
            raise damaged_store(f"{segment.data} is cut off") from error
    out.seek(segment.data_size)
    return segment.data_size


def _write_files(
    out: BinaryIO,
    files: FileSet,
    written: Mapping[str, bytes],
    compiled: Mapping[str, str],
    *,
    timestamp: int,
) -> list[tuple[Entry, int]]:
    """Write the project's files and those in `written`; return each entry and where it stands."""
    entries: list[tuple[Entry, int]] = []
    paths = files.included
    for path in sorted({*paths, *written}, key=str.encode) if written else paths:
        offset = out.tell()
        if (content := written.get(path)) is not None:
            entry = _write_content(out, content, path, 0o644, timestamp=timestamp)
        else:
            entry = _write_file(out, files.on_disk(path), path, timestamp=timestamp)
            if compiled.get(path, entry.sha256) != entry.sha256:
                raise _changed(path)
        entries.append((entry, offset))
    return entries


def _write_directory(
    out: BinaryIO,
    entries: list[tuple[Entry, int]],
    segment: Segment | None,
    *,
    timestamp: int,
) -> tuple[str, int]:
    """Write the directory and the end; return the content digest and the number of entries."""
    start = out.tell()
    digest = hashlib.sha256()
    border = SITE_PACKAGES.encode()
    pending = segment
    count = len(entries)
    for entry, offset in entries:
        if pending is not None and entry.name.encode() > border:
            count += _write_segment_directory(out, pending, digest)
            pending = None
        out.write(central_record(entry, offset, timestamp=timestamp))
        digest.update(digest_line(entry).encode())
    if pending is not None:
        count += _write_segment_directory(out, pending, digest)
    out.write(end_records(count=count, size=out.tell() - start, offset=start))
    return digest.hexdigest(), count


def _write_segment_directory(out: BinaryIO, segment: Segment, digest: hashlib._Hash) -> int:
    out.write(segment.directory.read_bytes())
    digest.update(segment.digest_lines.read_bytes())
    return segment.entries


def _write_file(out: BinaryIO, source: str, path: str, *, timestamp: int) -> Entry:
    """Write one file of the project, header and data, to the end of `out`."""
    try:
        with open(source, "rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise FileError("not-a-regular-file", f"{path} is not a regular file")
            mode = 0o755 if before.st_mode & 0o111 else 0o644
            if before.st_size <= _HELD_IN_MEMORY:
                entry = _write_content(out, file.read(), path, mode, timestamp=timestamp)
            else:
                entry = _write_large(out, file, path, mode, before.st_size, timestamp=timestamp)
            after = os.fstat(file.fileno())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileError("vanished", f"{path} went away while it was packed") from error
    except (PermissionError, IsADirectoryError) as error:
        raise FileError(
            "unreadable",
            f"{path} can't be read: {error.strerror}",
            hint="mend its permissions, or leave it out by .funcignore",
        ) from error
    stamps = [(state.st_size, state.st_mtime_ns) for state in (before, after)]
    if stamps[0] != stamps[1] or entry.size != before.st_size:
        raise _changed(path)
    return entry


def _changed(path: str) -> FileError:
    return FileError(
        "changed",
        f"{path} changed while it was packed",
        hint="build again when nothing writes to it, or leave it out by .funcignore",
    )


def _write_content(out: BinaryIO, content: bytes, path: str, mode: int, *, timestamp: int) -> Entry:
    method, packed = deflate(content)
    entry = Entry(
        name=path,
        mode=mode,
        method=method,
        crc=zlib.crc32(content),
        compressed_size=len(packed),
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    out.write(local_header(entry, timestamp=timestamp))
    out.write(packed)
    return entry


def _write_large(
    out: BinaryIO, file: BinaryIO, path: str, mode: int, size: int, *, timestamp: int
) -> Entry:
    """Deflate a file a chunk at a time, and store it where that does not make it smaller.

    The header's length depends on the file's size alone (`compressed_size` is at most that, else
    the file is stored), so it is left open first and filled in at the end.
    """

    def entry_of(method: int, crc: int, compressed_size: int, sha256: str) -> Entry:
        return Entry(
            name=path, mode=mode, method=method, crc=crc,
            compressed_size=compressed_size, size=size, sha256=sha256,
        )  # fmt: skip

    start = out.tell()
    out.write(local_header(entry_of(STORED, 0, size, ""), timestamp=timestamp))
    data = out.tell()
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    digest = hashlib.sha256()
    crc = read = 0
    while chunk := file.read(_CHUNK):
        crc = zlib.crc32(chunk, crc)
        digest.update(chunk)
        read += len(chunk)
        out.write(packer.compress(chunk))
    out.write(packer.flush())
    if read != size:
        raise _changed(path)
    entry = entry_of(DEFLATED, crc, out.tell() - data, digest.hexdigest())
    if entry.compressed_size >= size:
        out.seek(data)
        out.truncate()
        try:
            copy_range(file.fileno(), 0, size, out)
        except ArchiveError:
            raise _changed(path) from None
        out.seek(data + size)
        entry = entry_of(STORED, crc, size, digest.hexdigest())
    end = out.tell()
    out.seek(start)
    out.write(local_header(entry, timestamp=timestamp))
    out.seek(end)
    return entry


class _SegmentHasher:
    """Hashes a segment in a thread while its bytes are copied: hashing takes longer."""

    def __init__(self, segment: Segment) -> None:
        self._digest = hashlib.sha256()
        self._path = segment.data
        self._error: OSError | None = None
        from threading import Thread

        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            with open(self._path, "rb", buffering=0) as file:
                while chunk := file.read(_CHUNK):
                    self._digest.update(chunk)
        except OSError as error:
            self._error = error

    def result(self) -> hashlib._Hash:
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._digest


def _hash_rest(out: BinaryIO, digest: hashlib._Hash, *, start: int) -> None:
    out.flush()
    offset = start
    while chunk := os.pread(out.fileno(), _CHUNK, offset):
        digest.update(chunk)
        offset += len(chunk)
