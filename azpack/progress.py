"""How the stages tell what they are doing; by itself it tells nobody."""

from __future__ import annotations


class Progress:
    """Told by the stages as they go; this one keeps it to itself, the command line's does not."""

    def start(self, stage: str, *, total: int = 0) -> None:
        """A stage begins, of `total` bytes if that is known."""

    def advance(self, amount: int) -> None:
        """So many bytes of the stage are done."""

    def finish(self) -> None:
        """The stage that began last is over."""

    def warn(self, message: str) -> None:
        """Something the user should know, though the work goes on."""

    def log(self, message: str) -> None:
        """A detail for who asked for details."""
