"""How the stages tell what they are doing; by itself it tells nobody."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Progress:
    """Told by the stages as they go; this one keeps it to itself, the command line's does not."""

    @contextmanager
    def stage(self, name: str, *, total: int = 0) -> Iterator[None]:
        """What happens inside is the stage `name`, of `total` bytes if that is known."""
        self.start(name, total)
        done = False
        try:
            yield
            done = True
        finally:
            self.stop(done=done)

    def start(self, name: str, total: int) -> None:
        """A stage begins."""

    def expect(self, amount: int) -> None:
        """The total is so many bytes more than was known at the start."""

    def advance(self, amount: int) -> None:
        """So many bytes of the stage are done."""

    def stop(self, *, done: bool) -> None:
        """The stage is over: done, or broken off by an error."""

    def note(self, message: str) -> None:
        """Something that takes its time and wants a word."""

    def warn(self, message: str) -> None:
        """Something the user should know, though the work goes on."""

    def log(self, message: str) -> None:
        """A detail for who asked for details."""
