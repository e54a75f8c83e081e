"""What rules look at: the files of a project or of a finished package, read-only."""

from __future__ import annotations

from typing import Protocol

# More of a file than this no rule needs; source files and configuration are far smaller.
READ_LIMIT = 4 << 20


class Tree(Protocol):
    """Files by their POSIX paths, relative to the root at which host.json should be.

    Nothing is ever extracted or run. A file that can't be read raises FileError.
    """

    def paths(self) -> tuple[str, ...]:
        """All files, sorted by their UTF-8 bytes; folders are not listed."""

    def size(self, path: str) -> int:
        """The uncompressed size in bytes. KeyError: there is no such file."""

    def mode(self, path: str) -> int:
        """The permission bits, 0 where they are not known. KeyError: there is no such file."""

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes:
        """The content, at most the first `limit` bytes. KeyError: there is no such file."""
