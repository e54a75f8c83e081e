"""Reading at any place of what can only be inflated from its start, and no more than that takes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from azpack.deps.elf import ElfError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The tables that are asked for stand at the start, or where who edited an object put them: near
# the dynamic segment, which is asked for before them.
_HEAD = 2 << 20
_RECENT = 8  # pieces
_MOST_PASSES = 8


class Scroll:
    """Bytes at an offset, of content that comes in pieces from the start; `again` starts anew.

    What was passed over is kept where it is in the head or was asked for, for a while elsewhere.
    """

    def __init__(self, again: Callable[[], Iterator[bytes]]) -> None:
        self._again = again
        self._pieces = again()
        self._passes = 0
        self._at = 0
        self._kept: list[tuple[int, bytes]] = []
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=_RECENT)

    def read(self, offset: int, size: int) -> bytes:
        """The bytes at an offset, fewer than `size` where the content ends.

        Raises:
            ElfError: they are at too many places.
        """
        if offset + size <= self._at and (found := self._find(offset, offset + size)) is not None:
            return found
        if offset < self._at and (
            self._find(offset, min(offset + size, self._at)) is None  # it was let go
        ):
            self._start_again()
        return self._advance(offset, offset + size)

    def _start_again(self) -> None:
        self._passes += 1
        if self._passes > _MOST_PASSES:
            raise ElfError("its tables are at too many places")
        self._pieces = self._again()
        self._at = 0
        self._kept.clear()
        self._recent.clear()

    def _advance(self, offset: int, end: int) -> bytes:
        """Take pieces until the end is there, and return what stands before it."""
        while self._at < end and (piece := next(self._pieces, None)) is not None:
            start, self._at = self._at, self._at + len(piece)
            if start < _HEAD:
                self._kept.append((start, piece))
                continue
            self._recent.append((start, piece))
            if offset < self._at:
                first = max(start, offset)
                self._kept.append((first, piece[first - start : end - start]))
        return self._find(offset, min(end, self._at)) or b""

    def _find(self, offset: int, end: int) -> bytes | None:
        """What is kept of a range, if all of it is."""
        parts = []
        for start, piece in sorted([*self._kept, *self._recent], key=lambda kept: kept[0]):
            if start <= offset < start + len(piece):
                parts.append(piece[offset - start : end - start])
                offset += len(parts[-1])
                if offset >= end:
                    return b"".join(parts)
        return None if offset < end else b""
