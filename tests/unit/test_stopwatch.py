"""How long stages take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from azpack.stopwatch import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def test_a_stage_within_another_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    moments: Iterator[float] = iter([0.0, 1.0, 3.0, 7.0, 10.0, 15.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(moments))
    clock = Stopwatch()
    with clock.stage("outer"), clock.stage("inner"):
        pass
    assert clock.timings == {"inner": 2.0, "outer": 5.0}
    with clock.stage("outer"):
        pass
    assert clock.timings == {"inner": 2.0, "outer": 10.0}
