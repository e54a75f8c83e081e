"""In which of some folders files are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def enclosing(paths: Iterable[str], folders: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Each of the sorted paths with the innermost of the folders that it is in, or None.

    A folder is "" or ends with a slash. That takes no longer with thousands of folders.
    """
    pending = sorted(set(folders), reverse=True)
    around: list[str] = []
    for path in paths:
        while pending and pending[-1] <= path:
            around.append(pending.pop())
        while around and not path.startswith(around[-1]):
            around.pop()
        yield path, around[-1] if around else None
