"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from azpack.errors import FileError, is_disk_full

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO


@contextmanager
def replacing(path: Path, *, option: str = "--output") -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` when the block ends without an error.

    `option` is what names another place, for the hint; empty where nothing does.

    Until then `path` is as it was. Where the system has files without a name (Linux), not even a
    killed process leaves anything behind; elsewhere a hidden file beside `path`.

    Raises:
        FileError: the file can't be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        fd, name = _new_file(path)
    except OSError as error:
        raise FileError(
            "not-writable",
            f"{path} can't be written: {error.strerror}",
            hint=f"write somewhere else with {option}" if option else "mend its permissions",
        ) from error
    try:
        with open(fd, "w+b", buffering=1 << 20) as file:
            yield file
            file.flush()
            if name is None:
                name = _temporary_name(path)
                # With a folder given, os.link calls linkat, which can name the nameless.
                folder = os.open(path.parent, os.O_RDONLY)
                try:
                    os.link(f"/proc/self/fd/{fd}", name, src_dir_fd=folder)
                finally:
                    os.close(folder)
        os.replace(name, path)
    except BaseException as error:
        if name is not None:
            with suppress(OSError):
                os.unlink(name)
        if isinstance(error, OSError) and is_disk_full(error):
            raise FileError(
                "disk-full",
                f"{path} can't be written: {error.strerror}",
                hint=f"make room there, or write somewhere else with {option}"
                if option
                else "make room there",
            ) from error
        raise


def leftovers(path: Path) -> list[Path]:
    """What processes that were killed within `replacing(path)` left beside it."""
    start, end = f".{path.name}.", ".tmp"
    try:
        names = os.listdir(path.parent)
    except OSError:
        return []
    return [path.with_name(name) for name in names if name.startswith(start) and name.endswith(end)]


def _new_file(path: Path) -> tuple[int, str | None]:
    """Open a file in the folder of `path`; return its name too, if it has one."""
    if hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd"):
        with suppress(OSError):  # a file system without it, or a folder that can't be written
            return os.open(path.parent, os.O_TMPFILE | os.O_RDWR, 0o666), None
    name = _temporary_name(path)
    return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), name


def _temporary_name(path: Path) -> str:
    return str(path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp"))
