"""What was measured, and the figures that azpack promises, held against it.

Figures are of the project's plan: medians of one run, with a filled store and a lock that fits
unless they say otherwise.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MB = 1_000_000


class Sample(NamedTuple):
    """One run: seconds on the clock, seconds of processor time, and peak memory in bytes.

    `memory` is that of the largest process, where a command starts others.
    """

    seconds: float
    processor: float
    memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """The runs of a contender."""

    label: str
    samples: tuple[Sample, ...]

    @property
    def median(self) -> float:
        """The median of the runs, in seconds."""
        return statistics.median(sample.seconds for sample in self.samples)

    @property
    def processor(self) -> float:
        """The median of the processor time, in seconds: a busy machine changes it little."""
        return statistics.median(sample.processor for sample in self.samples)

    @property
    def memory(self) -> int:
        """The highest peak memory of the runs, in bytes."""
        return max(sample.memory for sample in self.samples)


Results = dict[str, Measure]


class Check(NamedTuple):
    """A promised figure, and what came of it; `unit` is "s", "times" or "MB"."""

    what: str
    found: float
    bound: float
    unit: str
    at_least: bool

    @property
    def reached(self) -> bool:
        """Whether the promise is kept, by the exact figure."""
        return self.found >= self.bound if self.at_least else self.found <= self.bound

    def line(self) -> str:
        """One line for people."""
        verdict = "reached" if self.reached else "MISSED "
        limit = "at least" if self.at_least else "at most"
        digits = {"s": 3, "times": 1, "MB": 1}[self.unit]
        return (
            f"{verdict}  {self.what}: {self.found:.{digits}f} {self.unit}, "
            f"{limit} {self.bound:g} {self.unit}"
        )


_TIMES_LOCAL = 1.15  # with the wheels in the store no engine is asked; the rest is noise
_SECONDS_REMOTE = {"small": 0.15}
_SECONDS = {"small": 0.10, "medium": 0.13}
_TIMES_COPY = {"large": 4.0}
_FASTER_WARM = {
    "small": {"uv+zip": 3.0, "pip+zip": 10.0},
    "medium": {"uv+zip": 22.0, "pip+zip": 50.0},
    "large": {"uv+zip": 100.0, "pip+zip": 150.0},
}
_FASTER_COLD = {
    "small": {"uv-cold+zip": 1.0},
    "medium": {"uv-cold+zip": 3.0},
    "large": {"uv-cold+zip": 12.0, "uv-cold": 1.0},
}
_LONGER_THAN_RESOLVING = 0.2
_MEMORY = 40.0
_VERSION = 0.060
_SECONDS_CHECK = 0.5
_SECONDS_INSPECT, _MEMORY_INSPECT = {"large": 1.0}, {"large": 100.0}


def seconds(results: Results, key: str) -> float | None:
    """The median under `key`; `A+B` is the sum of the medians of both."""
    measures = [results.get(part) for part in key.split("+")]
    known = [measure.median for measure in measures if measure is not None]
    return sum(known) if len(known) == len(measures) else None


def checks(measured: Mapping[str, Results]) -> Iterator[Check]:
    """Every promised figure that this run has measured."""
    for name, results in measured.items():
        if name:
            yield from _warm_checks(name, results)
            yield from _cold_checks(name, results)
    if (version := seconds(measured.get("", {}), "version")) is not None:
        yield Check("azpack --version", version, _VERSION, "s", False)
    if (check := measured.get("", {}).get("check")) is not None:
        yield Check(check.label, check.median, _SECONDS_CHECK, "s", False)


def _warm_checks(name: str, results: Results) -> Iterator[Check]:
    own = seconds(results, "azpack")
    if own is None:
        return
    if bound := _SECONDS.get(name):
        yield Check(f"{name}, warm", own, bound, "s", False)
    remote = seconds(results, "azpack-remote")
    if (bound := _SECONDS_REMOTE.get(name)) and remote is not None:
        yield Check(f"{name}, warm, mode remote", remote, bound, "s", False)
    if (docker := seconds(results, "azpack-docker")) is not None:
        yield Check(f"{name}, warm, mode docker", docker / own, _TIMES_LOCAL, "times", False)
    copy = seconds(results, "cp")
    if (bound := _TIMES_COPY.get(name)) and copy is not None:
        yield Check(f"{name}, warm, against cp", own / copy, bound, "times", False)
    yield from _faster(f"{name}, warm", results, own, _FASTER_WARM[name])
    yield Check(f"{name}, warm, peak memory", results["azpack"].memory / MB, _MEMORY, "MB", False)
    if (inspect := results.get("inspect")) is not None and name in _SECONDS_INSPECT:
        yield Check(f"{name}, inspect", inspect.median, _SECONDS_INSPECT[name], "s", False)
        peak = inspect.memory / MB
        yield Check(f"{name}, inspect, peak memory", peak, _MEMORY_INSPECT[name], "MB", False)
    resolving, bare = seconds(results, "azpack-resolving"), seconds(results, "uv-compile")
    if resolving is not None and bare is not None:
        what = f"{name}, resolving again, beyond uv pip compile"
        yield Check(what, resolving - bare, _LONGER_THAN_RESOLVING, "s", False)


def _cold_checks(name: str, results: Results) -> Iterator[Check]:
    if (own := seconds(results, "azpack-cold")) is not None:
        yield from _faster(f"{name}, cold, no lock", results, own, _FASTER_COLD[name])


def _faster(
    what: str, results: Results, own: float, promised: Mapping[str, float]
) -> Iterator[Check]:
    for key, bound in promised.items():
        if (theirs := seconds(results, key)) is not None:
            peer = key.replace("-cold", "").replace("+", " and ")
            yield Check(f"{what}, faster than {peer}", theirs / own, bound, "times", True)
