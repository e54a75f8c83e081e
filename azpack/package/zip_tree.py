"""The files of a zip as a tree, whoever made it: nothing is extracted, and little is held."""

from __future__ import annotations

import os
import stat
import zlib
from typing import TYPE_CHECKING, final

from azpack.app.tree import READ_LIMIT
from azpack.archive import STORED, ArchiveError, data_offset, read_directory
from azpack.errors import FileError
from azpack.inflating import INFLATING_ERRORS, inflating
from azpack.package.oddities import Sorter, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from azpack.archive import Member

_CHUNK = 1 << 18
_LEAST_READ = 1 << 10
_MOST_ENTRIES = 300_000
# Of all reading together. The native code of a package of 1 GB has about 3.
_MOST_INFLATED = 4 << 30


@final
class ZipTree:
    """A zip that is open: a `Tree` of its files, by their paths with forward slashes.

    `entries` are the files of the tree, by path. What is unsafe or can't be read is not among
    them; `oddities` says what is odd, and `unreadable` has the paths of what is there but can't be
    read. `count` is the number of all entries, `file_size` that of bytes. Memory does not grow with
    the size of the content.
    """

    def __init__(self, path: Path, fd: int | None = None) -> None:
        """Open the zip, and look whether all entries are where the directory says.

        One that azpack itself just wrote, and that has no name yet, is read by its descriptor
        `fd`; of that one the places are known.

        Raises:
            FileError: it can't be read, is no zip, is damaged, or has too many entries.
        """
        self.path = path
        self._left = _MOST_INFLATED
        self._fd = _open(path) if fd is None else os.dup(fd)
        try:
            self.file_size = os.fstat(self._fd).st_size
            members = read_directory(self._fd, lenient=True)
            if len(members) > _MOST_ENTRIES:
                raise ArchiveError(f"it has {len(members):,} entries, {_MOST_ENTRIES:,} at most")
            if fd is None:
                _check_places(self._fd, members)
        except ArchiveError as error:
            os.close(self._fd)
            raise self._damaged(error) from error
        except BaseException:
            os.close(self._fd)
            raise
        self.count = len(members)
        sorter = Sorter(members)
        self.entries: Mapping[str, Member] = sorter.entries()
        self.oddities = tuple(sorter.oddities())
        self.unreadable = frozenset(sorter.unreadable)

    def __enter__(self) -> ZipTree:
        """Keep it open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        os.close(self._fd)

    def paths(self) -> tuple[str, ...]:
        """All files, sorted by their UTF-8 bytes."""
        return tuple(self.entries)

    def size(self, path: str) -> int:
        """The uncompressed size in bytes, as the directory has it."""
        return self.entries[path].size

    def mode(self, path: str) -> int:
        """The permission bits, 0 where they are not known."""
        return stat.S_IMODE(self.entries[path].mode)

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes:
        """The content, at most the first `limit` bytes; checked where that is all.

        Raises:
            FileError: it is damaged, or too much was inflated already.
        """
        whole = self.entries[path].size <= limit
        parts = []
        left = limit
        for piece in self.pieces(path, step=max(min(limit, _CHUNK), 1)):
            parts.append(piece[:left])
            left -= len(parts[-1])
            if left <= 0 and not whole:
                break
        return b"".join(parts)

    def pieces(self, path: str, *, step: int = _CHUNK) -> Iterator[bytes]:
        """The content in pieces of at most `step` bytes, checked when all were taken.

        Raises:
            FileError: it is damaged, or too much was inflated already.
        """
        member = self.entries[path]
        crc = size = 0
        try:
            packed = self._packed(member, step=max(step, _LEAST_READ))
            for piece in packed if member.method == STORED else _inflated(packed, step):
                size += len(piece)
                self._left -= len(piece)
                if size > member.size:
                    raise ArchiveError(f"{printable(path)!r} is larger than the directory says")
                if self._left < 0:
                    raise ArchiveError("what has to be read of it inflates to more than 4 GB")
                crc = inflating.crc32(piece, crc)
                yield piece
        except INFLATING_ERRORS as error:
            raise self._damaged(f"{printable(path)!r} can't be inflated: {error}") from error
        except ArchiveError as error:
            raise self._damaged(error) from error
        if (size, crc) != (member.size, member.crc):
            raise self._damaged(f"{printable(path)!r} does not have the size and CRC it should")

    def packed(self, path: str) -> Iterator[bytes]:
        """The bytes as they stand in the zip, deflated or not, in pieces; they are not checked.

        Raises:
            FileError: the zip is damaged there.
        """
        try:
            yield from self._packed(self.entries[path], step=_CHUNK)
        except ArchiveError as error:
            raise self._damaged(error) from error

    def _packed(self, member: Member, *, step: int) -> Iterator[bytes]:
        offset = data_offset(self._fd, member)
        end = offset + member.compressed_size
        while offset < end:
            chunk = os.pread(self._fd, min(step, end - offset), offset)
            if not chunk:
                raise ArchiveError(f"{member.name!r} is cut off")
            offset += len(chunk)
            yield chunk

    def _damaged(self, reason: object) -> FileError:
        return FileError(
            "bad-zip",
            f"{self.path.name} is not a sound zip: {reason}",
            hint="make it again, or fetch it again; Azure could not read all of it either",
            context={"path": str(self.path)},
        )


def _open(path: Path) -> int:
    try:
        # Without waiting for who would write into a pipe.
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise FileError("unreadable", f"{path} can't be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise FileError("not-a-file", f"{path} is not a file")
    return fd


def _check_places(fd: int, members: Sequence[Member]) -> None:
    """No two entries share bytes, and each has its local header."""
    end, before = 0, ""
    for member in sorted(members, key=lambda member: member.header_offset):
        if member.header_offset < end:
            raise ArchiveError(f"{before!r} and {member.name!r} lie over each other")
        end, before = data_offset(fd, member) + member.compressed_size, member.name


def _inflated(packed: Iterable[bytes], step: int) -> Iterator[bytes]:
    """Inflate, in pieces of at most a step, so that nothing made to explode fills the memory."""
    inflater = inflating.decompressobj(-inflating.MAX_WBITS)
    for chunk in packed:
        while chunk and not inflater.eof:
            if piece := inflater.decompress(chunk, step):
                yield piece
            chunk = inflater.unconsumed_tail
    if not inflater.eof and (piece := inflater.flush()):
        yield piece
    if not inflater.eof:
        raise zlib.error("it is cut off")
