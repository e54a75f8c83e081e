"""What the user sees: the result on standard output, all else on standard error."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from azpack.errors import FindingsError
from azpack.progress import Progress
from azpack.redaction import redact, redacted
from azpack.report.figures import counted, format_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from azpack.checks.selection import FailOn
    from azpack.errors import AzpackError
    from azpack.findings import Finding

__all__ = [
    "Console",
    "ConsoleProgress",
    "Outcome",
    "counted",
    "folded",
    "format_size",
    "write_text",
]

_STYLES = {"error": "red", "warning": "yellow", "info": "cyan"}
_FAILING = {"error": ("error",), "warning": ("error", "warning"), "never": ()}
_DONE = {
    "preflight": "asked the indexes",
    "resolve": "resolved",
    "wheels": "got the wheels",
    "compile": "compiled",
}
_FOLDED_WIDTH = 76
_CODES = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command came to: `data` for `--json`, `lines` for people.

    `fail_on` is the severity from which findings make the command fail. `listed` says that the
    findings stand in `lines` already: then they are not written to standard error.
    """

    data: Mapping[str, Any]
    lines: Sequence[str]
    findings: Sequence[Finding] = field(default_factory=tuple)
    fail_on: FailOn = "error"
    listed: bool = False

    @property
    def exit_code(self) -> int:
        """1 where something was found that the command is to fail on."""
        failing = _FAILING[self.fail_on]
        return int(any(finding.severity in failing for finding in self.findings))


class Console:
    """Writes outcomes, errors and warnings as the general options ask for."""

    def __init__(
        self, *, as_json: bool = False, quiet: bool = False, verbosity: int = 0, color: str = "auto"
    ) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbosity = verbosity
        self.color = color

    def paint(self, text: str, style: str, stream: TextIO | None = None) -> str:
        """The text in a colour, where colours are wanted and can be seen."""
        if not self._colored(stream or sys.stderr):
            return text
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m"

    def _colored(self, stream: TextIO) -> bool:
        if self.color != "auto":
            return self.color == "always"
        return not os.environ.get("NO_COLOR") and stream.isatty()

    def show(self, command: str, outcome: Outcome) -> None:
        """Write the result of a command that was carried out."""
        if not outcome.listed:
            self._list(outcome.findings)
        if self.as_json:
            data = redacted({**outcome.data, **_findings_table(outcome.findings)})
            status = "findings" if outcome.exit_code else "ok"
            self._envelope(command, status, outcome.exit_code, data, [])
        else:
            text = "".join(f"{line}\n" for line in outcome.lines)
            write_text(sys.stdout, redacted(text))

    def fail(self, command: str, error: AzpackError) -> None:
        """Write an error: the cause and the place, then what to do now."""
        findings = error.findings if isinstance(error, FindingsError) else ()
        self._list(findings)
        first, *rest = redact(error.message).split("\n")
        self.say(self.paint("error:", "red"), first)
        for line in rest:
            self.say("", line)
        for line in redact(error.hint).splitlines():
            self.say(self.paint("hint:", "cyan"), line)
        if not self.as_json:
            return
        entry = {
            "code": error.code,
            "message": redact(error.message),
            "hint": redact(error.hint),
            "context": redacted(error.context),
        }
        if findings:
            data = redacted(_findings_table(findings))
            self._envelope(command, "findings", error.exit_code, data, [])
        else:
            self._envelope(command, "error", error.exit_code, {}, [entry])

    def _list(self, findings: Sequence[Finding]) -> None:
        """Write findings, of which only errors are worth a line where quiet is asked for."""
        for finding in findings:
            if finding.severity != "error" and self.quiet:
                continue
            label = self.paint(f"{finding.severity}:", _STYLES[finding.severity])
            place = f"{finding.path}:{finding.line}: " if finding.path and finding.line else ""
            self.say(label, redact(f"{finding.code}: {place}{finding.message}"))
            if finding.hint:
                self.say(self.paint("hint:", "cyan"), redact(finding.hint))

    def say(self, label: str, text: str) -> None:
        """Write a line to standard error, folded at the width of the terminal."""
        import shutil
        import textwrap

        width = max(shutil.get_terminal_size().columns, 40)
        # A line that is indented is somebody's own layout: it keeps its indent.
        indent = " " * (len(text) - len(text.lstrip())) + "  "
        folded = textwrap.wrap(
            text.strip(),
            width,
            initial_indent=indent[2:] + " " * (_visible(label) + 1) if label else indent[2:],
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
        if label:
            folded[0] = f"{label} {folded[0].lstrip()}"
        write_text(sys.stderr, "\n".join(folded) + "\n")

    def _envelope(
        self,
        command: str,
        status: str,
        exit_code: int,
        data: Mapping[str, Any],
        errors: Sequence[Mapping[str, Any]],
    ) -> None:
        envelope = {
            "schema_version": 1,
            "command": command,
            "status": status,
            "exit_code": exit_code,
            "data": data,
            "errors": errors,
        }
        text = json.dumps(envelope, ensure_ascii=False, default=str)
        try:
            text.encode(sys.stdout.encoding or "ascii")
        except UnicodeEncodeError:  # write_text's escapes are not those of JSON
            text = json.dumps(envelope, default=str)
        write_text(sys.stdout, f"{text}\n")

    def progress(self) -> ConsoleProgress:
        """What the stages report to."""
        if self.quiet:
            return ConsoleProgress(self, shown=False)
        if sys.stderr.isatty() and not self.verbosity:
            from azpack.cli.bar import BarProgress

            return BarProgress(self)
        return ConsoleProgress(self, shown=True)


class ConsoleProgress(Progress):
    """Plain lines on standard error."""

    def __init__(self, console: Console, *, shown: bool) -> None:
        self._console = console
        self._shown = shown
        self._stage = ""
        self._started = 0.0

    def start(self, name: str, total: int) -> None:  # noqa: ARG002  # a bar shows the total
        """Note the time; the line comes when the stage is over."""
        self._stage, self._started = name, time.perf_counter()

    def stop(self, *, done: bool) -> None:
        """Write how long the stage took."""
        if self._shown and done:
            seconds = time.perf_counter() - self._started
            write_text(sys.stderr, f"{_DONE.get(self._stage, self._stage)} in {seconds:.1f} s\n")

    def note(self, message: str) -> None:
        """Write a line, unless quiet."""
        if self._shown:
            write_text(sys.stderr, f"{redact(message)}\n")

    def warn(self, message: str) -> None:
        """Write a warning."""
        if not self._console.quiet:
            self._console.say(self._console.paint("warning:", "yellow"), redact(message))

    def log(self, message: str) -> None:
        """Write a detail, under -v."""
        if self._console.verbosity:
            write_text(sys.stderr, f"{self._console.paint(redact(message), 'dim')}\n")


def _findings_table(findings: Sequence[Finding]) -> dict[str, Any]:
    return {"findings": [asdict(finding) for finding in findings]} if findings else {}


def _visible(label: str) -> int:
    """How many columns a label takes, its colours left out."""
    return len(re.sub(r"\x1b\[\d+m", "", label))


def write_text(stream: TextIO, text: str) -> None:
    """Write text whatever the stream's encoding: what it can't show is escaped."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def folded(words: Sequence[str], end: str = "") -> list[str]:
    """Words on as few indented lines as they take at 80 columns, all but the last with `end`."""
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) > _FOLDED_WIDTH:
            lines[-1] += end
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else f"              {word}"
    lines[-1] = lines[-1].rstrip(",")
    return lines
