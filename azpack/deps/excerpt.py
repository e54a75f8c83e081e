"""What is kept of an object while it goes by, so that it need not be held whole."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from azpack.deps.elf import ElfError, dynamic_range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Of the 7,400 objects in a thousand wheels, 21 have a table elsewhere: those are the largest.
_HEAD = 2 << 20
_TAIL = 4  # pieces, each of a MB at most
_WINDOW = 1 << 20
_MOST_PASSES = 8


class Excerpt:
    """The start of an object, its end, and its dynamic segment; `again` gives all of it anew.

    Linkers put the tables that are asked for at the start, and who edits an object afterwards
    puts them at the end.
    """

    def __init__(self, again: Callable[[], Iterable[bytes]], head: bytes) -> None:
        """Start with the first piece, `head`."""
        self._again = again
        self._passes = 0
        self._size = len(head)
        self._kept = [(0, head)]
        self._tail: deque[tuple[int, bytes]] = deque(maxlen=_TAIL)
        start, size = dynamic_range(head)
        self._dynamic = range(start, start + size)

    def add(self, piece: bytes) -> None:
        """Take the next piece."""
        start, self._size = self._size, self._size + len(piece)
        if start < _HEAD or (start < self._dynamic.stop and self._dynamic.start < self._size):
            self._kept.append((start, piece))
        else:
            self._tail.append((start, piece))

    def read(self, offset: int, size: int) -> bytes:
        """The bytes at an offset, fewer than `size` where the object ends.

        Raises:
            ElfError: they are at too many places.
        """
        end = min(offset + size, self._size)
        if offset >= end:
            return b""
        found = self._find(offset, end)
        if found is None:
            self._pass(offset, max(end, min(offset + _WINDOW, self._size)))
            found = self._find(offset, end)
        if found is None:
            raise ElfError("it is not the same when it is read again")
        return found

    def _find(self, offset: int, end: int) -> bytes | None:
        parts = []
        for start, piece in (*self._kept, *self._tail):
            if start <= offset < start + len(piece):
                parts.append(piece[offset - start : end - start])
                offset += len(parts[-1])
                if offset == end:
                    return b"".join(parts)
        return None

    def _pass(self, offset: int, end: int) -> None:
        """Go through the object once more, and keep this much of it."""
        self._passes += 1
        if self._passes > _MOST_PASSES:
            raise ElfError("its tables are at too many places")
        parts = []
        at = 0
        for piece in self._again():
            if offset < at + len(piece):
                parts.append(piece[max(offset - at, 0) : end - at])
            at += len(piece)
            if at >= end:
                break
        self._kept.append((offset, b"".join(parts)))
