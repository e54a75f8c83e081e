"""Files to and from a container, as the tar streams that engines take and give.

A stream is made and read piece by piece: whatever its size, little of it is in memory.
"""

from __future__ import annotations

import os
import stat
import tarfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast

from azpack.errors import FileError, WheelError, is_disk_full

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PIECE = 256 * 1024


def pack(path: Path, to: str) -> Iterator[bytes]:
    """The stream of a file, or of a folder with all that is in it, under the absolute name `to`.

    Owned by root; modes, links and whole seconds of times are kept. Sockets, pipes and devices
    are left out.

    Raises:
        FileError: something can't be read, or changes while it is.
    """
    try:
        yield from _pack(os.path.realpath(path), to.strip("/"))
    except OSError as error:
        raise FileError(
            "not-sent",
            f"{error.filename or path} can't be sent to the build container: "
            f"{error.strerror or error}",
        ) from error
    yield bytes(2 * tarfile.BLOCKSIZE)


def _pack(path: str, name: str) -> Iterator[bytes]:
    status = os.lstat(path)
    member = tarfile.TarInfo(name)
    member.mode = stat.S_IMODE(status.st_mode)
    member.mtime = int(status.st_mtime)
    if stat.S_ISDIR(status.st_mode):
        member.type = tarfile.DIRTYPE
        yield _header(member)
        for entry in sorted(os.listdir(path)):
            yield from _pack(f"{path}/{entry}", f"{name}/{entry}")
    elif stat.S_ISLNK(status.st_mode):
        member.type = tarfile.SYMTYPE
        member.linkname = os.readlink(path)
        yield _header(member)
    elif stat.S_ISREG(status.st_mode):
        member.size = status.st_size
        yield _header(member)
        yield from _content(path, status.st_size)


def _header(member: tarfile.TarInfo) -> bytes:
    return member.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _content(path: str, size: int) -> Iterator[bytes]:
    left = size
    with open(path, "rb") as file:
        while left:
            piece = file.read(min(left, _PIECE))
            if not piece:
                raise OSError(None, "it became shorter while it was read", path)
            left -= len(piece)
            yield piece
    yield bytes(-size % tarfile.BLOCKSIZE)


class _Pieces:
    """Pieces of bytes as the file that tarfile reads a stream from."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)

    def read(self, _: int) -> bytes:
        return next(self._pieces, b"")


def unpack(pieces: Iterable[bytes], folder: Path) -> None:
    """Write what the stream has below its one top name into `folder`; a lone file under its name.

    Whoever made the stream is not trusted. Links are made when all else is written, and stay only
    where they lead to something in the folder, so nothing is ever written through one. Modes are
    0644 or 0755.

    Raises:
        WheelError: it would write outside the folder, or holds a device or a link that leads out.
        FileError: writing failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    links: dict[Path, str] = {}
    stream = cast("BinaryIO", _Pieces(pieces))
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                _unpack_member(tar, member, folder, links)
    except tarfile.TarError as error:
        raise _unsafe(f"it can't be read: {error}") from error
    for place, target in links.items():
        _make_link(place, target, folder)


def _unpack_member(
    tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, links: dict[Path, str]
) -> None:
    place = _place(member.name, folder, alone=not member.isdir())
    if not links.keys().isdisjoint((place, *place.parents)):
        raise _unsafe(f"{member.name} would be written through a link")
    try:
        if member.isdir():
            place.mkdir(parents=True, exist_ok=True)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        if member.isreg():
            _write(tar, member, place)
        elif member.islnk():
            place.hardlink_to(_place(member.linkname, folder, alone=True))
        elif member.issym():
            links[place] = member.linkname
        else:
            raise _unsafe(f"{member.name} is a device")
    except OSError as error:
        raise _not_written(place, error) from error


def _place(name: str, folder: Path, *, alone: bool) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise _unsafe(f"{name} would be written outside the folder")
    inner = path.parts[1:] or (path.parts if alone else ())
    return folder.joinpath(*inner)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    content = tar.extractfile(member)
    assert content is not None  # noqa: S101  # it is a file
    with content, place.open("xb") as file:
        while piece := content.read(_PIECE):
            file.write(piece)
    place.chmod(0o755 if member.mode & 0o100 else 0o644)
    os.utime(place, (member.mtime, member.mtime))


def _make_link(place: Path, target: str, folder: Path) -> None:
    try:
        place.symlink_to(target)
    except OSError as error:
        raise _not_written(place, error) from error
    try:
        inside = place.resolve(strict=True).is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # it leads nowhere, or in a circle
        inside = False
    if not inside:
        place.unlink()
        raise _unsafe(f"{place.relative_to(folder)} is a link that leads out of the folder")


def _unsafe(fault: str) -> WheelError:
    return WheelError(
        "unsafe-archive",
        f"what came from the build container is refused: {fault}",
        hint="what is built there makes such files: see whether it can be trusted",
    )


def _not_written(place: Path, error: OSError) -> FileError:
    return FileError(
        "disk-full" if is_disk_full(error) else "not-fetched",
        f"{place} can't be written: {error.strerror or error}",
        context={"path": str(place)},
    )
