from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import asdict, replace
from typing import Any

import pytest

from azpack.cli.console import (
    Console,
    ConsoleProgress,
    Outcome,
    counted,
    format_size,
    write_text,
)
from azpack.errors import AzpackError, FindingsError, UsageError, WheelError
from azpack.findings import Finding

FINDING = Finding(
    code="AZP112", severity="warning", message="support ends", hint="move", path="a", line=3
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)


def test_the_result_is_on_standard_output_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Console().show("build", Outcome(data={"a": 1}, lines=["one", "two"], findings=[FINDING]))
    shown = capsys.readouterr()
    assert shown.out == "one\ntwo\n"
    assert shown.err == "warning: AZP112: a:3: support ends\nhint: move\n"
    Console(quiet=True).show("build", Outcome(data={}, lines=["x"], findings=[FINDING]))
    assert capsys.readouterr() == ("x\n", "")


def test_errors_among_the_findings(capsys: pytest.CaptureFixture[str]) -> None:
    fault = replace(FINDING, code="AZP404", severity="error", line=None)
    # A plan says all, and ends with 1.
    plan = Outcome(data={}, lines=["plan"], findings=[FINDING, fault])
    Console(quiet=True).show("build", plan)
    assert capsys.readouterr() == ("plan\n", "error: AZP404: support ends\nhint: move\n")
    assert (plan.exit_code, Outcome(data={}, lines=[], findings=[FINDING]).exit_code) == (1, 0)
    assert Outcome(data={}, lines=[], failing=True).exit_code == 1
    Console(as_json=True, quiet=True).show("build", plan)
    Console(as_json=True).fail("build", FindingsError([FINDING, fault]))
    shown = capsys.readouterr()
    for line in shown.out.splitlines():
        envelope = json.loads(line)
        assert (envelope["status"], envelope["exit_code"]) == ("findings", 1)
        assert envelope["data"]["findings"] == [asdict(FINDING), asdict(fault)]
        assert envelope["errors"] == []
    assert "warning: AZP112: " in shown.err
    assert "error: 1 error was found, and nothing written\nhint: " in shown.err


def test_the_envelope(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome(data={"a": 1, "findings": []}, lines=["one"], findings=[FINDING])
    Console(as_json=True, quiet=True).show("build", outcome)
    shown = capsys.readouterr()
    assert shown.out.count("\n") == 1
    finding = {
        "code": "AZP112", "severity": "warning", "message": "support ends", "path": "a", "line": 3,
        "hint": "move",
    }  # fmt: skip
    envelope = json.loads(shown.out)
    assert list(envelope) == ["schema_version", "command", "status", "exit_code", "data", "errors"]
    assert envelope == {
        "schema_version": 1, "command": "build", "status": "ok", "exit_code": 0,
        "data": {"a": 1, "findings": [finding]}, "errors": [],
    }  # fmt: skip


def test_the_envelope_of_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    error = WheelError("code", "what\nmore", hint="do this", context={"path": io, "n": (1, None)})
    Console(as_json=True).fail("build", error)
    shown = capsys.readouterr()
    envelope = json.loads(shown.out)
    assert (envelope["status"], envelope["exit_code"], envelope["data"]) == ("error", 4, {})
    (entry,) = envelope["errors"]
    assert list(entry) == ["code", "message", "hint", "context"]
    assert (entry["code"], entry["message"], entry["hint"]) == ("code", "what\nmore", "do this")
    assert entry["context"]["n"] == [1, None]
    assert shown.err == "error: what\nmore\nhint: do this\n"


def test_nothing_shown_holds_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    secret = "https://me:s3c@ret'\"x@host.example/simple"
    console = Console(as_json=True, verbosity=1)
    console.fail("build", UsageError("c", secret, hint=f"try {secret}", context={"urls": [secret]}))
    console.show("build", Outcome(data={"url": secret}, lines=[], findings=[]))
    Console().show("build", Outcome(data={}, lines=[secret]))
    progress = console.progress()
    progress.warn(f"a {secret}")
    progress.log(f"b {secret}")
    shown = "".join(capsys.readouterr())
    assert shown.count("host.example/simple") == 9
    for part in ("s3c", "ret", "me:"):
        assert part not in shown


@pytest.mark.parametrize(
    ("color", "no_color", "terminal", "colored"),
    [
        ("auto", "", True, True),
        ("auto", "", False, False),
        ("auto", "1", True, False),
        ("always", "1", False, True),
        ("always", "", False, True),
        ("never", "", True, False),
    ],
)
def test_colours(
    monkeypatch: pytest.MonkeyPatch, color: str, no_color: str, terminal: bool, colored: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    error = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", error)
    console = Console(color=color)
    console.fail("build", AzpackError("c", "what", hint="do"))
    console.progress().warn("careful")
    assert ("\x1b[" in error.getvalue()) is colored
    assert (console.paint("x", "red", Terminal()) != "x") is ((color != "never" and not no_color)
                                                              or color == "always")  # fmt: skip


TEXT = "the quick brown fox jumps over the lazy dog " * 4
LONG = "https://host.example/" + "x" * 90


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("color", ["never", "always"])
def test_lines_are_folded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int, color: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    error = AzpackError("c", f"{TEXT}\n    {TEXT}\n  {LONG} end", hint=f"{TEXT}\nsecond")
    Console(color=color).fail("build", error)
    text = capsys.readouterr().err
    for code in ("\x1b[31m", "\x1b[36m", "\x1b[0m"):
        text = text.replace(code, "")
    lines = text.splitlines()
    for line in lines:
        assert len(line) <= columns or line.strip() == LONG
    assert lines[0].startswith("error: the quick")
    assert lines[1].startswith("  ")
    # What is indented keeps its indent, and goes on below it.
    start = next(number for number, line in enumerate(lines) if line.startswith("    the quick"))
    assert lines[start + 1].startswith("      ")
    assert lines[-1] == "hint: second"
    assert text.split() == f"error: {TEXT} {TEXT} {LONG} end hint: {TEXT} hint: second".split()
    # Folded as wide as it may be.
    assert max(len(line) for line in lines if LONG not in line) > columns - 8


def test_no_terminal_is_too_narrow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "3")
    Console().fail("build", AzpackError("c", TEXT))
    assert max(map(len, capsys.readouterr().err.splitlines())) > 30


@pytest.mark.parametrize(
    ("encoding", "text", "written"),
    [
        ("utf-8", "é 資", "é 資".encode()),
        ("ascii", "é 資", b"\\xe9 \\u8cc7"),
        ("latin-1", "é 資", b"\xe9 \\u8cc7"),
        ("utf-8", "bad \udcff", b"bad \\udcff"),
    ],
)
def test_whatever_the_stream_can_show(encoding: str, text: str, written: bytes) -> None:
    target = stream(encoding)
    write_text(target, text)
    assert target.buffer.getvalue() == written  # type: ignore[attr-defined]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
@pytest.mark.parametrize("name", ["é 資", "plain", "bad \udcff", '"\\'])
def test_json_is_json_on_every_stream(
    monkeypatch: pytest.MonkeyPatch, encoding: str, name: str
) -> None:
    out = stream(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    Console(as_json=True).show("files", Outcome(data={"included": [name]}, lines=[]))
    written: bytes = out.buffer.getvalue()  # type: ignore[attr-defined]
    assert json.loads(written.decode(encoding))["data"]["included"] == [name]


def test_progress_in_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Console().progress()
    assert type(progress) is ConsoleProgress
    with progress.stage("resolve"):
        pass
    with progress.stage("wheels", total=9):
        progress.advance(4_000_000)
        progress.advance(-1_000_000)
    with progress.stage("assemble"):  # too short to be worth a line
        progress.advance(1)
    with pytest.raises(KeyError), progress.stage("wheels"):
        raise KeyError
    progress.warn("careful")
    progress.log("a detail")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("resolved in 0.")
    assert re.fullmatch(r"got the wheels in 0\.\d s: 3\.0 MB, [\d.]+ [kMG]B/s", lines[1])
    assert lines[2:] == ["warning: careful"]
    Console(verbosity=1).progress().log("a detail")
    assert capsys.readouterr().err == "a detail\n"


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(quiet=True)
    progress = console.progress()
    with progress.stage("resolve"):
        progress.warn("careful")
    assert capsys.readouterr() == ("", "")
    console.fail("build", AzpackError("c", "errors are not quiet"))
    assert capsys.readouterr().err == "error: errors are not quiet\n"


def test_a_bar_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert type(Console().progress()).__name__ == "BarProgress"
    assert type(Console(verbosity=1).progress()) is ConsoleProgress
    assert type(Console(quiet=True).progress()) is ConsoleProgress


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_900, "99.9 kB"), (123_456, "123 kB"),
     (1_500_000, "1.5 MB"), (2_000_000_000, "2.0 GB"), (3_000_000_000_000, "3000.0 GB")],
)  # fmt: skip
def test_sizes(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [((1, "file"), "1 file"), ((0, "file"), "0 files"), ((1, "entry", "entries"), "1 entry"),
     ((1234, "entry", "entries"), "1,234 entries")],
)  # fmt: skip
def test_numbers_with_nouns(arguments: Any, text: str) -> None:
    assert counted(*arguments) == text
