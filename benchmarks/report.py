"""The tables, the verdicts and the picture of a benchmark run."""

from __future__ import annotations

import os
import platform
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from contenders import HERE, SETS, executable, zip_tool
from figures import MB, checks, seconds
from modules import MODULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from figures import Results


class Row(NamedTuple):
    """A line of the table: whose median, or the sum of whose."""

    key: str
    label: str


class Section(NamedTuple):
    """Rows that answer one question; ratios are to the first."""

    title: str
    rows: tuple[Row, ...]


_ZIP = zip_tool().partition(" ")[0]
SECTIONS = (
    Section(
        "Warm, versions known",
        (
            Row("azpack", "azpack build"),
            Row("azpack-edited", "azpack build, a file edited"),
            Row("azpack-docker", "azpack build --mode docker"),
            Row("azpack-remote", "azpack build --mode remote"),
            Row("cp", "cp of the zip"),
            Row("uv-offline+zip", f"uv pip install --offline, {_ZIP}"),
            Row("uv+zip", f"uv pip install, {_ZIP}"),
            Row("pip+zip", f"pip install, {_ZIP}"),
            Row("shiv", "shiv"),
            Row("pex", "pex"),
        ),
    ),
    Section(
        "Warm, resolving again",
        (Row("azpack-resolving", "azpack build"), Row("uv-compile", "uv pip compile alone")),
    ),
    Section("Of the package, warm", (Row("inspect", "azpack inspect"),)),
    Section(
        "Cold, resolving",
        (
            Row("azpack-cold", "azpack build"),
            Row("uv-cold", "uv pip install alone"),
            Row("uv-cold+zip", f"uv pip install, {_ZIP}"),
            Row("pip-cold+zip", f"pip install, {_ZIP}"),
            Row("pex-cold", "pex"),
        ),
    ),
)

_BLUE, _PALE_BLUE, _GREY, _INK = "#0969da", "#9cc9f5", "#afb8c1", "#1f2328"


def text(measured: Mapping[str, Results]) -> str:
    """The whole report as Markdown that also reads well in a terminal."""
    sets = [name for name in measured if name]
    lines = [machine(), "", *_times(measured, sets), "", *_others(measured, sets), ""]
    lines += [*_notes(sets), "", "Promised, and found:", "", "```"]
    lines += [check.line() for check in checks(measured)]
    return "\n".join([*lines, "```"]) + "\n"


def write(measured: Mapping[str, Results], content: str) -> tuple[Path, Path]:
    """Write results.md and results.svg, and return their paths."""
    document, picture = HERE / "results.md", HERE / "results.svg"
    head = "# Benchmarks\n\nMade by `make bench`.\n\n![Seconds to a package](results.svg)\n\n"
    document.write_text(head + content, encoding="utf-8")
    _draw(measured, picture)
    return document, picture


def machine() -> str:
    """What was measured on, and with which programs."""
    programs = [("uv", "uv"), ("pip", "pip"), ("shiv", "shiv"), ("pex", "pex")]
    versions = [_version(label, found) for label, name in programs if (found := executable(name))]
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores; "
        f"Python {platform.python_version()}; {', '.join(versions)}; zipped by `{zip_tool()}`."
    )


def _version(label: str, program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    words = [word.rstrip(",") for word in done.stdout.split()]
    return f"{label} {next(word for word in words if word[0].isdigit())}"


def _times(measured: Mapping[str, Results], sets: Sequence[str]) -> Iterator[str]:
    columns = [cell for name in sets for cell in (name, "ratio")]
    rows: list[list[str]] = [["median", *columns, "runs"]]
    for section in SECTIONS:
        rows.append([f"**{section.title}**", *([""] * len(columns)), ""])
        for row in section.rows:
            found = [seconds(measured[name], row.key) for name in sets]
            if not any(found):
                continue
            cells = [row.label]
            for name, value in zip(sets, found, strict=True):
                first = seconds(measured[name], section.rows[0].key)
                cells += [shown_seconds(value), _ratio(value, first)]
            rows.append([*cells, _runs(measured, sets, row.key)])
    return table(rows)


def _others(measured: Mapping[str, Results], sets: Sequence[str]) -> Iterator[str]:
    start = measured.get("", {})
    rows = [["also", "found"]]
    for key, label in (
        ("version", "`azpack --version`"),
        ("interpreter", "`python -c pass`"),
        ("check", f"`azpack check` of {MODULES} modules"),
    ):
        if key in start:
            rows.append(
                [f"{label}, median of {len(start[key].samples)}", shown_seconds(start[key].median)]
            )
    own = {name: measured[name]["azpack"] for name in sets if "azpack" in measured[name]}
    peaks = [f"{name} {measure.memory / MB:.1f} MB" for name, measure in own.items()]
    rows.append(["peak memory of `azpack build`, warm", ", ".join(peaks)])
    inspected = {name: measured[name]["inspect"] for name in sets if "inspect" in measured[name]}
    peaks = [f"{name} {measure.memory / MB:.1f} MB" for name, measure in inspected.items()]
    rows.append(["peak memory of `azpack inspect`", ", ".join(peaks)])
    times = [f"{name} {measure.processor:.3f} s" for name, measure in own.items()]
    rows.append(["processor time of `azpack build`, warm", ", ".join(times)])
    return table(rows)


def _notes(sets: Sequence[str]) -> Iterator[str]:
    yield "Ratios are to the first line of each part. Every run is a process, timed from start to"
    yield "end. Warm: caches filled, and for all the pins of one `azpack lock`; peers get them"
    yield "without hashes and with `--no-deps`. Cold: caches empty, and for all the same"
    yield "requirements without versions. Lines with a zip are the sum of two medians: installing,"
    yield "and copying the app and zipping. shiv and pex make executables rather than packages for"
    yield "Azure, and are left out of the large set for the time they take. azpack runs from a"
    yield "compiled copy of the checkout, as pip installs it; `uv pip compile` gets the options"
    yield "that azpack gives it, `--python` among them: looking for one takes uv longer."
    for name in sets:
        yield f"The {name} set: {', '.join(SETS[name])}."


def _runs(measured: Mapping[str, Results], sets: Sequence[str], key: str) -> str:
    counts = [
        "+".join(str(len(measured[name][part].samples)) for part in key.split("+"))
        for name in sets
        if seconds(measured[name], key) is not None
    ]
    return counts[0] if len(set(counts)) == 1 else ", ".join(counts)


def shown_seconds(value: float | None) -> str:
    """Seconds with three digits that count."""
    if value is None:
        return ""
    return f"{value:.3f} s" if value < 1 else f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def _ratio(value: float | None, first: float | None) -> str:
    if value is None or first is None:
        return ""
    ratio = value / first
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown, of which the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        first, *rest = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
        yield f"| {' | '.join(cells)} |"
        if number == 0:
            yield f"|{'-' * (widths[0] + 2)}|{'|'.join('-' * (w + 1) + ':' for w in widths[1:])}|"


def _draw(measured: Mapping[str, Results], path: Path) -> None:
    """Bars of the warm and the cold part, a panel for each set, seconds on a logarithmic axis."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    mpl.rcParams.update(
        {"svg.hashsalt": "azpack", "font.size": 9, "text.color": _INK, "axes.labelcolor": _INK}
    )
    sets = [name for name in measured if name]
    figure, panels = plt.subplots(
        1, len(sets), figsize=(3.9 * len(sets) + 1.1, 4.6), sharey=True, squeeze=False,
        layout="constrained", facecolor="white",
    )  # fmt: skip
    for panel, name in zip(panels[0], sets, strict=True):
        _draw_set(panel, measured[name], title=f"{name}: {len(SETS[name])} requirements")
    figure.suptitle(
        "Seconds from requirements to a package (logarithmic, shorter is better)",
        fontsize=11, fontweight="bold",
    )  # fmt: skip
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
    plt.close(figure)


def _draw_set(panel: Any, results: Results, *, title: str) -> None:
    position, places, labels = 0.0, [], []
    for section in (SECTIONS[0], SECTIONS[3]):
        panel.text(
            0.0, position, section.title, transform=panel.get_yaxis_transform(),
            fontweight="bold", va="center",
        )  # fmt: skip
        position += 1
        for row in section.rows:
            value = seconds(results, row.key)
            color = _BLUE if "azpack" in row.key else _PALE_BLUE if row.key == "cp" else _GREY
            if value is not None:
                panel.barh(position, value, height=0.7, color=color)
                panel.text(value * 1.12, position, shown_seconds(value), va="center")
            places.append(position)
            labels.append(row.label)
            position += 1
        position += 0.4
    panel.set_title(title, fontsize=10)
    panel.set_yticks(places, labels)
    panel.set_xscale("log")
    panel.set_ylim(position - 0.9, -0.6)
    panel.set_xlim(0.001, max(filter(None, (seconds(results, k.key) for k in _drawn()))) * 9)
    panel.set_facecolor("white")
    panel.tick_params(axis="y", length=0, colors=_INK)
    panel.tick_params(axis="x", colors=_INK)
    panel.grid(axis="x", color="#d0d7de", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)


def _drawn() -> Iterator[Row]:
    return (row for section in (SECTIONS[0], SECTIONS[3]) for row in section.rows)
