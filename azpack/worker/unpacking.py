"""Unpacking a package as the platform mounts it: for reading, in a folder of its own."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from azpack.errors import FileError, is_disk_full

if TYPE_CHECKING:
    from pathlib import Path

    from azpack.package.zip_tree import ZipTree

# As much as ZipTree inflates of a package.
_MOST_BYTES = 4 << 30
_READ_ONLY_FOLDER = 0o555
_KEPT_FREE = 64 << 20


def unpack(package: ZipTree, folder: Path) -> None:
    """Write all files of the package into `folder`, which is made, and take the right to write.

    The tree has only names that stay in the folder. A user who may do everything, root, may write
    there all the same.

    Raises:
        FileError: it is damaged, too large, or the disk has no room for it.
    """
    _check_room(package, folder.parent)
    folders = {folder}
    try:
        folder.mkdir()
        for path in package.paths():
            place = folder / path
            if place.parent not in folders:
                place.parent.mkdir(parents=True, exist_ok=True)
                folders.update(it for it in place.parents if it.is_relative_to(folder))
            with open(place, "xb") as file:
                file.writelines(package.pieces(path))
            place.chmod(0o555 if package.mode(path) & 0o111 else 0o444)
        for made in folders:
            made.chmod(_READ_ONLY_FOLDER)
    except OSError as error:
        raise FileError(
            "disk-full" if is_disk_full(error) else "not-unpacked",
            f"{package.path.name} can't be unpacked: {error.filename or folder}: {error.strerror}",
            hint="name a folder with more room for temporary files with TMPDIR"
            if is_disk_full(error)
            else "",
        ) from error


def _check_room(package: ZipTree, folder: Path) -> None:
    needed = sum(member.size for member in package.entries.values())
    free = shutil.disk_usage(folder).free - _KEPT_FREE
    if needed <= min(_MOST_BYTES, free):
        return
    size = f"{package.path.name} would take {needed / 1e9:,.1f} GB"
    if needed > _MOST_BYTES:
        raise FileError(
            "too-large", f"{size} unpacked, and verify unpacks at most {_MOST_BYTES / 1e9:.1f} GB",
            hint="Azure takes at most 1 GB; see what is large with 'azpack inspect'",
        )  # fmt: skip
    raise FileError(
        "disk-full", f"{size} unpacked, and {folder} has {max(free, 0) / 1e9:,.1f} GB left",
        hint="make room, or name another folder for temporary files with TMPDIR",
    )  # fmt: skip


def find_written(package: ZipTree, folder: Path) -> str | None:
    """A file that was written into the unpacked package, if one was; or changed, by its size.

    What Python compiles is none: it takes the refusal in silence.
    """
    for parent, _, names in os.walk(folder):
        for name in names:
            place = os.path.join(parent, name)
            path = os.path.relpath(place, folder)
            known = package.entries.get(path)
            if known is None and "__pycache__" not in path.split(os.sep):
                return path
            if known is not None and os.lstat(place).st_size != known.size:
                return path
    return None


def remove(folder: Path) -> None:
    """Remove a folder with what was made read-only in it."""
    for parent, names, _ in os.walk(folder):
        for name in names:
            place = os.path.join(parent, name)
            if not os.path.islink(place):
                os.chmod(place, 0o700)  # of the user's own
    shutil.rmtree(folder, ignore_errors=True)
