"""A verification as lines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from azpack.report.verdict import verdict_lines
from azpack.target.target import find_target
from azpack.worker.faults import Fault
from azpack.worker.verification import Invocation, ListedFunction, SlowImport, Verification

START = Verification(
    verdict="unverified", path=Path("a" * 30 + ".zip"),
    target=find_target(Path(), python="3.12"), reason="there is no Python 3.12 on this machine",
)  # fmt: skip
FULL = Verification(
    verdict="failed",
    path=Path("app.zip"),
    target=find_target(Path(), python="3.12"),
    interpreter="/opt/" + "long/" * 20 + "python3.12",
    image="registry/image",
    python="3.12.1",
    libc="glibc 2.36",
    runtime={"name": "azure-functions-runtime", "version": "1", "azure_functions": "2",
             "azure_functions_from": "package"},
    functions=(ListedFunction(name="n" * 90, trigger="httpTrigger", route="/api/\x1b[31m" * 9),
               ListedFunction(name="plain", trigger=None, route=None)),
    faults=(Fault(code="value-error", message="ValueError: " + "word " * 40, path="a.py", line=3,
                  hint="do " * 40, traceback="Traceback\n  File x\x1b[2J\n"),),
    notes=("a note",),
    invocations=(Invocation(name="a", method="GET", url="/api/a", status="200", body="\x07b" * 99,
                            size=198, seconds=0.5),
                 Invocation(name="b", skipped="it streams over HTTP"),
                 Invocation(name="c", method="GET", url="/api/c", seconds=0.001)),
    timings={"interpreter": 0.1, "worker": 0.2, "import": 1.0, "index": 0.01, "invocation": 0.5},
    slowest=(SlowImport(module="pandas", seconds=0.9, own_seconds=0.6),
             SlowImport(module="pandas.core", seconds=0.8, own_seconds=0.5),
             SlowImport(module="quick", seconds=0.001, own_seconds=0.001)),
    unproved=("this", "that"),
    output=("printed",),
)  # fmt: skip


def lines_of(found: Verification, *, verbose: bool = False) -> list[str]:
    return list(verdict_lines(found, str, verbose=verbose))


def test_unverified_says_why_and_no_more() -> None:
    assert lines_of(START) == [
        f"unverified {'a' * 30}.zip: nothing was proved",
        "  there is no Python 3.12 on this machine",
    ]


def test_all_lines_fit_and_do_nothing_to_a_terminal() -> None:
    lines = lines_of(FULL, verbose=True)
    long = [line for line in lines if len(line) > 80]
    assert all("long/long/" in line for line in long)  # a path is not broken
    assert not any(ord(char) < 32 or ord(char) == 127 for line in lines for char in line)


def test_what_stands_where() -> None:
    text = "\n".join(lines_of(FULL))
    assert text.startswith("failed app.zip: it would fail on Azure\n\na.py:3\n  error value-")
    assert "Traceback" not in text
    assert "printed" not in text
    assert "GET /api/a: 200, 198 B, 500.0 ms" in text
    assert "b was not invoked: it streams over HTTP" in text
    assert "GET /api/c: it raised, 1.0 ms" in text
    assert "start-up" not in text
    assert text.endswith("note: a note")
    more = "\n".join(lines_of(FULL, verbose=True))
    assert "    Traceback\n" in more
    assert "what the app printed last:\n  printed\n" in more


def test_of_what_passed_the_start_up_and_what_is_not_proved() -> None:
    text = "\n".join(lines_of(replace(FULL, verdict="passed", faults=(), notes=())))
    assert "start-up: 1.31 s (interpreter 0.10, runtime library 0.20, imports 1.00" in text
    assert "   0.900 s  0.600 s  pandas" in text
    assert "pandas.core" not in text  # its time is in that of pandas
    assert "quick" not in text
    assert text.endswith("\nnot proved: this; that")
