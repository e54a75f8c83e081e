"""Trees that tests write down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azpack.app.tree import READ_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping


class TextTree:
    """A tree of the texts that a test gives by their paths."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self.files = {
            path: text.encode() if isinstance(text, str) else text for path, text in files.items()
        }

    def paths(self) -> tuple[str, ...]:
        return tuple(sorted(self.files))

    def size(self, path: str) -> int:
        return len(self.files[path])

    def mode(self, path: str) -> int:
        return 0o644 if path in self.files else 0

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes:
        return self.files[path][:limit]
