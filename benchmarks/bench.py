"""azpack against what its users would take instead; run by `make bench`.

Three sets of dependencies, cold (caches empty, no lock) and warm (caches filled, versions known).
Every run is a process of its own, timed from its start to its end. Contenders take turns, so that
a busy machine is busy for all; what counts are medians, and ratios within this one run.

    python benchmarks/bench.py [--sets small,medium,large] [--runs N] [--quick]

Prints a table and whether each promised figure was reached, and after a run of all sets writes
both to results.md and a picture of them to results.svg, beside this file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import contenders
from contenders import SETS, WORK, Place
from figures import Measure, Sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contenders import Contender
    from figures import Results

_LOG = WORK / "log.txt"


def main() -> int:
    """Measure, print, write."""
    arguments = _parse()
    _environment_is_light()
    WORK.mkdir(exist_ok=True)
    contenders.install()
    started, before = time.monotonic(), os.getloadavg()[0]
    measured = {"": measure(contenders.machine_contenders())}
    for name in arguments.sets:
        measured[name] = measure_set(Place(name=name), arguments)
    # Not before: what this process holds would count as memory of the processes that it starts.
    import report

    text = report.text(measured)
    print(text, end="")
    load = ", ".join(f"{value:.1f}" for value in (before, *os.getloadavg()[:2]))
    print(f"\nmeasured in {time.monotonic() - started:.0f} s; load before, at the end, and over")
    print(f"the last five minutes: {load} on {os.cpu_count()} cores")
    if set(arguments.sets) == set(SETS) and not arguments.quick:
        print(f"wrote {', '.join(map(str, report.write(measured, text)))}")
    return 0


def measure_set(place: Place, arguments: argparse.Namespace) -> Results:
    """Make the app, empty the caches, and measure cold, then warm."""
    _say(f"{place.name}: lock")
    place.make()
    try:
        _run(contenders.lock_command(place))
    except ChildProcessError as error:
        raise SystemExit(f"azpack lock: {error}") from error
    place.use_lock()
    large, quick = place.name == "large", arguments.quick
    cold = contenders.cold_contenders(
        place,
        runs=1 if quick else {"small": 5, "medium": 3, "large": 2}[place.name],
        pip_runs=1 if quick or large else 2,
    )
    warm = contenders.warm_contenders(
        place,
        runs=arguments.runs,
        resolving_runs=1 if quick else 5,
        uv_runs=1 if quick else 3,
        pip_runs=1 if quick or large else 2,
        zip_runs=1 if quick else 2 if large else 3,
    )
    # The cold runs leave the caches filled for the warm ones.
    return {**measure(cold), **measure(warm)}


def measure(given: Sequence[Contender]) -> Results:
    """Let the contenders take turns, each for as many rounds as it has runs.

    One that can't do its job is left out.
    """
    samples: dict[str, list[Sample]] = {}
    running = list(given)
    for turn in range(-1, max(contender.runs for contender in given)):
        # Every second round the other way round: nobody always comes after the slowest.
        for contender in running if turn % 2 == 0 or turn < 0 else running[::-1]:
            if turn >= contender.runs or (turn < 0 and not contender.warmup):
                continue
            count = f"run {turn + 1} of {contender.runs}" if turn >= 0 else "warm-up"
            _say(f"  {contender.key}: {count}")
            try:
                sample = _run(contender)
            except ChildProcessError as error:
                _say(f"left out: {contender.key}: {error}")
                running = [other for other in running if other is not contender]
                samples.pop(contender.key, None)
                continue
            if turn >= 0:
                samples.setdefault(contender.key, []).append(sample)
    return {
        contender.key: Measure(
            label=contender.label,
            samples=tuple(samples[contender.key]),
        )
        for contender in given
        if contender.key in samples
    }


def _run(contender: Contender) -> Sample:
    """Run once, in an environment that was made ready before the clock starts."""
    for path in (*contender.fresh, *(contender.caches.values() if contender.emptied else ())):
        _remove(path)
    environment = contender.environment()
    command = list(contender.command)
    os.sync()  # what the last one left to be written is not this one's
    with open(_LOG, "w+b") as log:
        started = time.perf_counter()
        child = subprocess.Popen(
            command, env=environment, cwd=WORK, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            log.seek(0)
            last = log.read().decode(errors="replace").strip().splitlines()[-5:]
            raise ChildProcessError(f"exit code {child.returncode}: {' | '.join(last)}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Sample(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def _environment_is_light() -> None:
    """On Linux a child's peak memory is at least what its parent holds when it starts it."""
    assert "matplotlib" not in sys.modules


def _remove(path: os.PathLike[str]) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", default="", help="which sets, with commas (default: all)")
    parser.add_argument("--runs", type=int, default=0, help="runs of azpack and cp (default: 5)")
    parser.add_argument(
        "--quick", action="store_true", help="small and medium, one run of the peers, no files"
    )
    arguments = parser.parse_args()
    default = ["small", "medium"] if arguments.quick else list(SETS)
    arguments.sets = arguments.sets.split(",") if arguments.sets else default
    if unknown := [name for name in arguments.sets if name not in SETS]:
        parser.error(f"there is no set {unknown[0]!r}; the sets are {', '.join(SETS)}")
    if arguments.runs < 0:
        parser.error("--runs is at least 1")
    arguments.runs = arguments.runs or (3 if arguments.quick else 5)
    return arguments


if __name__ == "__main__":
    sys.exit(main())
