from __future__ import annotations

import time
from typing import TYPE_CHECKING

from azpack.stopwatch import Stopwatch

if TYPE_CHECKING:
    import pytest


def test_stages_in_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 1.0, 3.0, 7.0, 10.0, 11.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(moments))
    clock = Stopwatch()
    with clock.stage("outer"), clock.stage("inner"):
        pass
    with clock.stage("inner"):
        pass
    assert clock.timings == {"outer": 5.0, "inner": 3.0}
    assert sum(clock.timings.values()) == 8.0
