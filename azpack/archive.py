"""The zip format, as far as azpack reads and writes it: directories, headers, end records.

Source: PKWARE's APPNOTE 6.3.10, sections 4.3 (records), 4.4 (fields) and 4.5.3 (ZIP64 extra).
Members are never inflated here; what is read is where their bytes stand.
"""

from __future__ import annotations

import errno
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

STORED = 0
DEFLATED = 8

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")

_FLAG_ENCRYPTED = 0x0001
_FLAG_DESCRIPTOR = 0x0008
_FLAG_UTF8 = 0x0800
_UNIX = 3
_REGULAR_FILE = 0o100000
_LIMIT16 = 0xFFFF
_LIMIT32 = 0xFFFFFFFF
_CHUNK = 1 << 20
_COPIED_IN_KERNEL = 1 << 16
# Where a file system, or a sandbox, can't copy in the kernel: Go's standard library knows the same.
_NO_COPY_FILE_RANGE = {
    errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM, errno.EIO,
}  # fmt: skip
_VERSION = 20
_VERSION_ZIP64 = 45
# A quarter of a million entries with names of usual length; a directory is held as a whole.
_LARGEST_DIRECTORY = 32 << 20


class ArchiveError(ValueError):
    """What is wrong with a zip; the caller knows which file it is and who must hear of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An entry of a zip's central directory.

    Sizes and offsets are in bytes; `mode` is the Unix mode with its file type, or 0 where the
    zip was not made on Unix. `timestamp` is in DOS form, date high.
    """

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    compressed_size: int
    size: int
    mode: int
    header_offset: int
    timestamp: int

    @property
    def is_folder(self) -> bool:
        """Whether the entry stands for a folder."""
        return self.name.endswith("/")

    @property
    def is_encrypted(self) -> bool:
        """Whether the entry's bytes can't be read without a password."""
        return bool(self.flags & _FLAG_ENCRYPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry to be written: its bytes are deflated or stored, `sha256` is of the content."""

    name: str
    mode: int
    method: int
    crc: int
    compressed_size: int
    size: int
    sha256: str


def read_directory(fd: int, *, lenient: bool = False) -> tuple[Member, ...]:
    """Read the central directory of the zip that is open at `fd`, in its own order.

    A `lenient` reading takes names in any encoding, and a number of entries that has overflowed:
    other people's programs write such.

    Raises:
        ArchiveError: where the records are damaged or contradict each other.
    """
    length = os.fstat(fd).st_size
    offset, size, count = _find_directory(fd, length)
    if size > _LARGEST_DIRECTORY:
        raise ArchiveError(f"its directory has {size:,} bytes, more than there are files for")
    directory = os.pread(fd, size, offset)
    if len(directory) != size:
        raise ArchiveError("the file ends within its directory")
    decode = _decode_anyhow if lenient else _decode
    members = tuple(_parse_directory(directory, limit=offset, decode=decode))
    if len(members) != count and not (lenient and len(members) & _LIMIT16 == count):
        raise ArchiveError(f"the directory has {len(members)} entries, its end record says {count}")
    return members


def _find_directory(fd: int, length: int) -> tuple[int, int, int]:
    """Return the directory's offset, its size, and its number of entries."""
    tail_length = min(length, _END.size + _LIMIT16 + _LOCATOR64.size)
    tail = os.pread(fd, tail_length, length - tail_length)
    position = tail.rfind(b"PK\5\6")
    if position < 0 or position + _END.size > len(tail):
        raise ArchiveError("not a zip file, or cut off: it has no end record")
    _, disk, start_disk, _, count, size, offset, comment = _END.unpack_from(tail, position)
    if position + _END.size + comment != len(tail):
        raise ArchiveError("the end record is not at the end of the file")
    end = length - tail_length + position
    locator = position - _LOCATOR64.size
    if locator >= 0 and tail.startswith(b"PK\6\7", locator):
        end = _LOCATOR64.unpack_from(tail, locator)[2]
        record = os.pread(fd, _END64.size, min(end, length))
        if len(record) != _END64.size or not record.startswith(b"PK\6\6"):
            raise ArchiveError("the ZIP64 end record is missing")
        disk, start_disk, _, count, size, offset = _END64.unpack(record)[4:]
    if disk or start_disk:
        raise ArchiveError("the zip is one of several volumes")
    if offset + size != end:
        raise ArchiveError("the directory does not end where the end record stands")
    return offset, size, count


def _parse_directory(
    directory: bytes, *, limit: int, decode: Callable[[bytes, int], str]
) -> Iterator[Member]:
    position = 0
    while position < len(directory):
        if len(directory) - position < _CENTRAL.size or directory[position : position + 4] != (
            b"PK\1\2"
        ):
            raise ArchiveError("the directory is damaged")
        fields = _CENTRAL.unpack_from(directory, position)
        _, _, system, _, _, flags, method, time, date, crc, compressed_size, size = fields[:12]
        name_length, extra_length, comment_length, _, _, attributes, header_offset = fields[12:]
        start = position + _CENTRAL.size
        raw_name = directory[start : start + name_length]
        extra = directory[start + name_length : start + name_length + extra_length]
        position = start + name_length + extra_length + comment_length
        if position > len(directory):
            raise ArchiveError("the directory is damaged")
        if _LIMIT32 in (size, compressed_size, header_offset):
            size, compressed_size, header_offset = _zip64_values(
                extra, size, compressed_size, header_offset
            )
        if header_offset + _LOCAL.size + name_length + compressed_size > limit:
            raise ArchiveError(f"{decode(raw_name, flags)!r} does not lie within the file")
        yield Member(
            name=decode(raw_name, flags),
            raw_name=raw_name,
            flags=flags,
            method=method,
            crc=crc,
            compressed_size=compressed_size,
            size=size,
            mode=attributes >> 16 if system == _UNIX else 0,
            header_offset=header_offset,
            timestamp=date << 16 | time,
        )


def _decode(raw_name: bytes, flags: int) -> str:
    try:
        return raw_name.decode("utf-8" if flags & _FLAG_UTF8 else "cp437")
    except UnicodeDecodeError:
        raise ArchiveError(f"the name {raw_name!r} is not UTF-8, as it says") from None


def _decode_anyhow(raw_name: bytes, flags: int) -> str:
    """As Linux reads a name, whatever the zip says of it; U+FFFD stands for what is no UTF-8."""
    try:
        return raw_name.decode()
    except UnicodeDecodeError:
        return raw_name.decode(*("utf-8", "replace") if flags & _FLAG_UTF8 else ("cp437",))


def _zip64_values(extra: bytes, *values: int) -> tuple[int, ...]:
    """Replace those of `values` that are at the limit by the ones of the ZIP64 extra field."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        position += 4
        if kind == 1:
            held = min(length, len(extra) - position) // 8
            wide = iter(struct.unpack_from(f"<{held}Q", extra, position))
            if held < values.count(_LIMIT32):
                break
            return tuple(next(wide) if value == _LIMIT32 else value for value in values)
        position += length
    raise ArchiveError("a ZIP64 extra field is missing or too short")


def data_offset(fd: int, member: Member) -> int:
    """Where the bytes of `member` start, after checking its local header against the directory.

    The local header's own lengths count: its extra field may differ from the directory's.

    Raises:
        ArchiveError: where the two contradict each other.
    """
    header = os.pread(fd, _LOCAL.size + len(member.raw_name), member.header_offset)
    if len(header) != _LOCAL.size + len(member.raw_name) or not header.startswith(b"PK\3\4"):
        raise ArchiveError(f"{member.name!r} has no local header")
    fields = _LOCAL.unpack_from(header)
    _, _, flags, method, _, _, crc, compressed_size, size, name_length, extra_length = fields
    agrees = (
        method == member.method
        and name_length == len(member.raw_name)
        and header[_LOCAL.size :] == member.raw_name
        and not (flags ^ member.flags) & (_FLAG_ENCRYPTED | _FLAG_UTF8)
    )
    if agrees and not flags & _FLAG_DESCRIPTOR:
        agrees = (
            crc == member.crc
            and compressed_size in (member.compressed_size, _LIMIT32)
            and size in (member.size, _LIMIT32)
        )
    if not agrees:
        raise ArchiveError(f"{member.name!r}: its local header contradicts the directory")
    return int(member.header_offset + _LOCAL.size + name_length + extra_length)


def _encode(name: str) -> tuple[bytes, int]:
    encoded = name.encode()
    if len(encoded) > _LIMIT16:
        raise ArchiveError(f"the name {name[:80]!r}… is longer than a zip can hold")
    return encoded, 0 if name.isascii() else _FLAG_UTF8


def local_header(entry: Entry, *, timestamp: int) -> bytes:
    """The bytes that stand before an entry's data; `timestamp` is in DOS form, date high."""
    name, flags = _encode(entry.name)
    sizes = (entry.compressed_size, entry.size)
    extra = b""
    version = _VERSION
    if max(sizes) >= _LIMIT32:
        extra = struct.pack("<2H2Q", 1, 16, entry.size, entry.compressed_size)
        sizes = (_LIMIT32, _LIMIT32)
        version = _VERSION_ZIP64
    time, date = timestamp & _LIMIT16, timestamp >> 16
    return (
        _LOCAL.pack(
            b"PK\3\4", version, flags, entry.method, time, date, entry.crc, *sizes,
            len(name), len(extra),
        )
        + name
        + extra
    )  # fmt: skip


def central_record(entry: Entry, offset: int, *, timestamp: int) -> bytes:
    """The directory's record of an entry whose local header stands at `offset`."""
    name, flags = _encode(entry.name)
    wide = []
    values = []
    for value in (entry.size, entry.compressed_size, offset):
        if value >= _LIMIT32:
            wide.append(value)
            value = _LIMIT32
        values.append(value)
    size, compressed_size, header_offset = values
    extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    version = _VERSION_ZIP64 if wide else _VERSION
    time, date = timestamp & _LIMIT16, timestamp >> 16
    return (
        _CENTRAL.pack(
            b"PK\1\2", version, _UNIX, version, 0, flags, entry.method, time, date,
            entry.crc, compressed_size, size, len(name), len(extra), 0, 0, 0,
            (_REGULAR_FILE | entry.mode) << 16, header_offset,
        )
        + name
        + extra
    )  # fmt: skip


def end_records(*, count: int, size: int, offset: int) -> bytes:
    """The end of a zip whose directory has `count` records in `size` bytes at `offset`."""
    wide = b""
    if count >= _LIMIT16 or size >= _LIMIT32 or offset >= _LIMIT32:
        wide = _END64.pack(
            b"PK\6\6", _END64.size - 12, _VERSION_ZIP64 | _UNIX << 8, _VERSION_ZIP64,
            0, 0, count, count, size, offset,
        ) + _LOCATOR64.pack(b"PK\6\7", 0, offset + size, 1)  # fmt: skip
    count = min(count, _LIMIT16)
    return wide + _END.pack(
        b"PK\5\6", 0, 0, count, count, min(size, _LIMIT32), min(offset, _LIMIT32), 0
    )


def copy_range(source: int, offset: int, length: int, out: BinaryIO) -> None:
    """Copy bytes of the file open at `source` to the end of `out`, in the kernel where it can.

    Raises:
        ArchiveError: the source ends before.
    """
    if length >= _COPIED_IN_KERNEL and hasattr(os, "copy_file_range"):
        out.flush()
        start, end = offset, offset + length
        try:
            while offset < end:
                copied = os.copy_file_range(source, out.fileno(), end - offset, offset)
                if not copied:  # the end, or a file system that says so (golang/go#44272)
                    break
                offset += copied
        except OSError as error:
            # A full disk is the caller's.
            if offset != start or error.errno not in _NO_COPY_FILE_RANGE:
                raise
        length = end - offset
    while length:
        chunk = os.pread(source, min(length, _CHUNK), offset)
        if not chunk:
            raise ArchiveError("the file is shorter than its directory says")
        out.write(chunk)
        offset += len(chunk)
        length -= len(chunk)
