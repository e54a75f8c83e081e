"""Progress on a terminal."""

from __future__ import annotations

import sys
import time
from threading import Lock
from typing import TYPE_CHECKING

from azpack.cli.console import Console, ConsoleProgress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

_TEXTS = {"resolve": "resolving", "wheels": "getting wheels", "compile": "compiling"}


class BarProgress(ConsoleProgress):
    """A bar while a stage lasts longer than a blink; it goes away when the stage is over."""

    _BLINK = 0.3

    def __init__(self, console: Console) -> None:
        super().__init__(console, shown=True)
        self._lock = Lock()
        self._bar: RichProgress | None = None
        self._total = 0
        self._done = 0

    def start(self, name: str, total: int) -> None:
        """Begin a stage; stages without a size show that they are alive at once."""
        super().start(name, total)
        self._total, self._done = total, 0
        if not total:
            self._show()

    def advance(self, amount: int) -> None:
        """Move the bar; called by several threads."""
        with self._lock:
            self._done += amount
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], completed=self._done)
            elif time.perf_counter() - self._started > self._BLINK:
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
        self._bar = Progress(*columns, console=RichConsole(file=sys.stderr), transient=True)
        self._bar.add_task(
            _TEXTS.get(self._stage, self._stage), total=self._total or None, completed=self._done
        )
        self._bar.start()
