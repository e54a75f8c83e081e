"""What --compile and --slim cost and bring: size, build time, and how fast an app starts.

A cold start is what Azure's worker does before the first call, as far as it depends on the package:
start an interpreter, with the package on sys.path, and import what the app imports. Every run is a
process of its own, timed from its start to its end; bytecode can't be written (-B: as root, the
modes of a read-only folder hold nobody back); the files are in the page cache, as on Azure they may
not be, so that on slower disks more is gained than is seen here.

    python benchmarks/cold_start.py [--sets medium,large] [--runs N]

Prints a table, and after a run of all sets writes it to cold-start.md and a picture to
cold-start.svg, beside this file.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import contenders
from bench import measure
from contenders import HERE, PYTHON, SETS, SITE_PACKAGES, Contender, Place, executable
from figures import MB, Check, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from figures import Results

VARIANTS = {
    "plain": (),
    "compile": ("--compile",),
    "slim": ("--slim",),
    "both": ("--slim", "--compile"),
}
_MEDIUM = (
    "azure.functions, requests, azure.identity, azure.storage.blob, azure.cosmos, pydantic, "
    "sqlalchemy.orm, psycopg2, opentelemetry.sdk.trace"
)
IMPORTS = {
    "medium": _MEDIUM,
    "large": f"{_MEDIUM}, numpy, pandas, scipy.stats, sklearn.linear_model, pyarrow.parquet, "
    "matplotlib.pyplot",
}
_START = "import sys; sys.path[:0] = sys.argv[1:3]; import {}, function_app"
_MOST_TIME = 0.5
_MOST_SIZE = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was measured of a set: medians by "WHAT-VARIANT", and bytes by variant."""

    results: Results
    sizes: Mapping[str, int]

    def seconds(self, what: str, variant: str) -> float:
        """The median of a build or of starts."""
        value = seconds(self.results, f"{what}-{variant}")
        if value is None:
            raise SystemExit(f"there is no figure for {what} of {variant}: see above")
        return value


def main() -> int:
    """Measure, print, write."""
    arguments = _parse()
    contenders.WORK.mkdir(exist_ok=True)
    contenders.install()
    found = {name: measure_set(Place(name=name), arguments.runs) for name in arguments.sets}
    import report

    lines = [report.machine(), ""]
    for name, of_set in found.items():
        lines += [*report.table(list(_rows(name, of_set))), ""]
    lines += [*_notes(found), "", "Promised, and found:", "", "```"]
    lines += [*(check.line() for check in _checks(found)), "```"]
    print("\n".join(lines))
    if set(found) == set(IMPORTS):
        head = [
            "# Cold starts",
            "",
            "Made by `make bench`.",
            "",
            "![Cold starts](cold-start.svg)",
            "",
        ]
        (HERE / "cold-start.md").write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
        _draw(found, HERE / "cold-start.svg")
    return 0


def measure_set(place: Place, runs: int) -> Found:
    """Build the four packages, cold and warm, and start each."""
    place.make()
    measure([contenders.lock_command(place)])
    cold = measure([_build(place, variant, runs=2, cold=True) for variant in VARIANTS])
    warm = measure([_build(place, variant, runs=5, cold=False) for variant in VARIANTS])
    for variant in VARIANTS:
        with zipfile.ZipFile(_package(place, variant)) as package:
            package.extractall(_tree(place, variant))
    starts = measure([_start(place, variant, runs) for variant in VARIANTS])
    sizes = {variant: _package(place, variant).stat().st_size for variant in VARIANTS}
    return Found(results={**cold, **warm, **starts}, sizes=sizes)


def _package(place: Place, variant: str) -> Path:
    return place.folder / f"{variant}.zip"


def _tree(place: Place, variant: str) -> Path:
    return place.folder / f"{variant}-tree"


def _build(place: Place, variant: str, *, runs: int, cold: bool) -> Contender:
    output = str(_package(place, variant))
    command = [str(executable("azpack")), "build", str(place.locked), "--python", PYTHON]
    return Contender(
        key=f"{'cold' if cold else 'warm'}-{variant}",
        label=f"azpack build {' '.join(VARIANTS[variant])}",
        command=[*command, "-o", output, *VARIANTS[variant]],
        runs=runs,
        caches={"AZPACK_CACHE_DIR": place.folder / "caches" / f"azpack-{variant}"},
        emptied=cold,
        own=True,
    )


def _start(place: Place, variant: str, runs: int) -> Contender:
    tree = _tree(place, variant)
    script = _START.format(IMPORTS[place.name])
    return Contender(
        key=f"start-{variant}",
        label=f"start {variant}",
        command=[sys.executable, "-S", "-B", "-c", script, str(tree), str(tree / SITE_PACKAGES)],
        runs=runs,
        caches={},
        warmup=True,
    )


def _rows(name: str, found: Found) -> Iterator[list[str]]:
    from report import shown_seconds

    yield [f"{name}, medians", "size", "ratio", "cold build", "warm build", "cold start", "ratio"]
    for variant, options in VARIANTS.items():
        start = found.seconds("start", variant)
        yield [
            " ".join(("azpack build", *options)),
            f"{found.sizes[variant] / MB:.1f} MB",
            f"{found.sizes[variant] / found.sizes['plain']:.2f}",
            shown_seconds(found.seconds("cold", variant)),
            shown_seconds(found.seconds("warm", variant)),
            shown_seconds(start),
            f"{start / found.seconds('start', 'plain'):.2f}",
        ]


def _checks(found: Mapping[str, Found]) -> Iterator[Check]:
    for name, of_set in found.items():
        for variant in ("compile", "both"):
            ratio = of_set.seconds("start", variant) / of_set.seconds("start", "plain")
            yield Check(f"{name}, cold start, {variant}", ratio, _MOST_TIME, "times", False)
        ratio = of_set.sizes["both"] / of_set.sizes["plain"]
        yield Check(f"{name}, size, both", ratio, _MOST_SIZE, "times", False)


def _notes(found: Mapping[str, Found]) -> Iterator[str]:
    runs = {str(len(of_set.results["start-plain"].samples)) for of_set in found.values()}
    yield "Cold build: with a lock and an empty store, so it downloads; warm: the store is filled."
    yield f"Cold start: median of {', '.join(sorted(runs))} runs; an interpreter is started"
    yield "and imports, with nothing written and the files in the page cache."
    for name in found:
        yield f"The {name} set ({', '.join(SETS[name])}) imports {IMPORTS[name]}, and the app."


def _draw(found: Mapping[str, Found], path: Path) -> None:
    """Bars of seconds to start and of sizes, a column for each set."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    mpl.rcParams.update({"svg.hashsalt": "azpack", "font.size": 9})
    figure, panels = plt.subplots(
        2, len(found), figsize=(4.6 * len(found), 4.2), squeeze=False, layout="constrained",
        facecolor="white",
    )  # fmt: skip
    for column, (name, of_set) in enumerate(found.items()):
        starts = [of_set.seconds("start", variant) for variant in VARIANTS]
        sizes = [of_set.sizes[variant] / MB for variant in VARIANTS]
        _draw_bars(panels[0][column], starts, f"{name}: seconds to start", "{:.2f} s")
        _draw_bars(panels[1][column], sizes, f"{name}: size of the package", "{:.0f} MB")
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
    plt.close(figure)


def _draw_bars(panel: object, values: Sequence[float], title: str, form: str) -> None:
    from typing import Any, cast

    axes = cast("Any", panel)
    labels = [" ".join(options) or "plain" for options in VARIANTS.values()]
    colors = ["#afb8c1", "#0969da", "#9cc9f5", "#0969da"]
    axes.barh(labels, values, height=0.7, color=colors)
    for position, value in enumerate(values):
        axes.text(value, position, " " + form.format(value), va="center")
    axes.set_title(title, fontsize=10)
    axes.invert_yaxis()
    axes.set_xlim(0, max(values) * 1.25)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", default=",".join(IMPORTS), help="which sets, with commas")
    parser.add_argument("--runs", type=int, default=9, help="starts of each package (default: 9)")
    arguments = parser.parse_args()
    arguments.sets = arguments.sets.split(",")
    if unknown := [name for name in arguments.sets if name not in IMPORTS]:
        parser.error(f"there is no set {unknown[0]!r}; the sets are {', '.join(IMPORTS)}")
    if arguments.runs < 1:
        parser.error("--runs is at least 1")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
