"""How long each stage takes."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Adds up the seconds that each stage takes."""

    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens inside to the stage, but for what a stage within it takes."""
        start, others = time.perf_counter(), sum(self.timings.values())
        try:
            yield
        finally:
            within = sum(self.timings.values()) - others
            seconds = time.perf_counter() - start - within
            self.timings[name] = self.timings.get(name, 0.0) + seconds
