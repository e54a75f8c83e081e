"""The files of a project on disk, as rules see them: those that would be packed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from azpack.app.tree import READ_LIMIT
from azpack.errors import FileError

if TYPE_CHECKING:
    from azpack.app.collect import FileSet

__all__ = ["FolderTree"]


class FolderTree:
    """A `Tree` over the files of a project that go into its package."""

    def __init__(self, files: FileSet) -> None:
        self.files = files
        self._included = frozenset(files.included)
        self._ignored = {ignored.path: ignored.rule for ignored in files.ignored}

    def paths(self) -> tuple[str, ...]:
        """All files, sorted by their UTF-8 bytes."""
        return self.files.included

    def size(self, path: str) -> int:
        """The size in bytes. KeyError: there is no such file. FileError: it can't be read."""
        return self._stat(path).st_size

    def mode(self, path: str) -> int:
        """The permission bits. KeyError: there is no such file. FileError: it can't be read."""
        return self._stat(path).st_mode & 0o777

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes:
        """The content up to `limit` bytes. KeyError: no such file. FileError: it can't be read."""
        self._check(path)
        try:
            with open(self.files.on_disk(path), "rb") as file:
                return file.read(limit)
        except OSError as error:
            raise _unreadable(path, error) from error

    def left_out(self, path: str) -> str | None:
        """What keeps a file of the project out of the package: ".funcignore:3", or None.

        None is also the answer for what is not on disk.
        """
        if path in self._included:
            return None
        rule = self._ignored.get(path)
        at = path.find("/")
        while rule is None and at != -1:
            rule = self._ignored.get(path[: at + 1])
            at = path.find("/", at + 1)
        if rule is None or not os.path.isfile(self.files.on_disk(path)):
            return None
        return rule.source

    def _stat(self, path: str) -> os.stat_result:
        self._check(path)
        try:
            return os.stat(self.files.on_disk(path))
        except OSError as error:
            raise _unreadable(path, error) from error

    def _check(self, path: str) -> None:
        if path not in self._included:
            raise KeyError(path)


def _unreadable(path: str, error: OSError) -> FileError:
    return FileError(
        "unreadable", f"{path} can't be read: {error.strerror}", context={"path": path}
    )
