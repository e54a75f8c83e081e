"""Progress on a terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from azpack.cli.console import Console, ConsoleProgress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

# The stages that can last long enough to look at.
_TEXTS = {
    "preflight": "asking the indexes",
    "resolve": "resolving",
    "wheels": "getting wheels",
    "compile": "compiling",
}


class BarProgress(ConsoleProgress):
    """A bar while a stage lasts longer than a blink; it goes away when the stage is over."""

    _BLINK = 0.3

    def __init__(self, console: Console) -> None:
        super().__init__(console, shown=True)
        self._bar: RichProgress | None = None
        self._total = 0

    def start(self, name: str, total: int) -> None:
        """Begin a stage; stages without a size show that they are alive at once."""
        super().start(name, total)
        self._total = total
        if not total and name in _TEXTS:
            self._show()

    def expect(self, amount: int) -> None:
        """Make the bar longer; called by several threads."""
        with self._lock:
            self._total += amount
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], total=self._total)

    def advance(self, amount: int) -> None:
        """Move the bar; called by several threads."""
        with self._lock:
            self._done += amount
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], completed=self._done)
            elif self._stage in _TEXTS and time.perf_counter() - self._started > self._BLINK:
                self._show()

    def stop(self, *, done: bool) -> None:
        """Take the bar away, and write how long it took."""
        with self._lock:
            if self._bar is not None:
                self._bar.stop()
                self._bar = None
        super().stop(done=done)

    def _show(self) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn
        from rich.progress import TransferSpeedColumn as SpeedColumn

        columns = [SpinnerColumn(), TextColumn("{task.description}")]
        if self._stage == "wheels":
            columns += [BarColumn(bar_width=24), DownloadColumn(), SpeedColumn()]
        terminal = RichConsole(file=sys.stderr, no_color=not self._console.is_colored(sys.stderr))
        self._bar = Progress(*columns, console=terminal, transient=True)
        self._bar.add_task(_TEXTS[self._stage], total=self._total or None, completed=self._done)
        self._bar.start()
