"""What the user sees: the result on standard output, all else on standard error."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from azpack.cli.build_service import error_command, find_service
from azpack.errors import FindingsError
from azpack.progress import Progress
from azpack.redaction import redact, redacted
from azpack.report.annotations import (
    azure_lines,
    github_lines,
    without_commands,
    without_commands_json,
)
from azpack.report.figures import counted, format_size
from azpack.report.places import Places

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
    "error_rows",
    "findings_table",
    "folded",
    "format_size",
    "status_of",
    "write_text",
]

_STYLES = {"error": "red", "warning": "yellow", "info": "cyan"}
_FAILING = {"error": ("error",), "warning": ("error", "warning"), "never": ()}
_DONE = {
    "preflight": "asked the indexes",
    "resolve": "resolved",
    "verify": "loaded the package",
    "wheels": "got the wheels",
    "compile": "compiled",
    "assemble": "wrote the zip",
}
_WORTH_A_LINE = {"assemble": 0.5}  # seconds
_FOLDED_WIDTH = 76
_CODES = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command came to: `data` for `--json`, `lines` for people.

    `commands` are what a build service is told by the result itself, before the lines.
    `fail_on` is the severity from which findings make the command fail. `listed` says that the
    findings stand in `lines` already: then they are not written to standard error. `failed` are
    the errors of a part of what was to be done, the first of which decides on the exit code.
    `failing` says that the command fails whatever was found.
    """

    data: Mapping[str, Any]
    lines: Sequence[str]
    findings: Sequence[Finding] = field(default_factory=tuple)
    fail_on: FailOn = "error"
    listed: bool = False
    failed: Sequence[AzpackError] = ()
    failing: bool = False
    commands: Sequence[str] = field(default_factory=tuple)

    @property
    def exit_code(self) -> int:
        """1 where something was found that the command is to fail on."""
        if self.failed:
            return self.failed[0].exit_code
        failing = _FAILING[self.fail_on]
        return int(self.failing or any(found.severity in failing for found in self.findings))


class Console:
    """Writes outcomes, errors and warnings as the general options ask for."""

    def __init__(
        self, *, as_json: bool = False, quiet: bool = False, verbosity: int = 0, color: str = "auto"
    ) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbosity = verbosity
        self.color = color
        self.service = find_service(os.environ)
        # How files of the project are named, once it is known.
        self.places = Places()

    def paint(self, text: str, style: str, stream: TextIO | None = None) -> str:
        """The text in a colour, where colours are wanted and can be seen."""
        if not self.is_colored(stream or sys.stderr):
            return text
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m"

    def is_colored(self, stream: TextIO) -> bool:
        """Whether colours are wanted, and can be seen."""
        if self.color != "auto":
            return self.color == "always"
        return not os.environ.get("NO_COLOR") and stream.isatty()

    def show(self, command: str, outcome: Outcome) -> None:
        """Write the result of a command that was carried out."""
        if not outcome.listed:
            self.list_findings(outcome.findings)
        if self.as_json:
            data = redacted({**outcome.data, **findings_table(outcome.findings)})
            status = status_of(outcome)
            self._envelope(command, status, outcome.exit_code, data, error_rows(outcome.failed))
        else:
            commands = "".join(f"{line}\n" for line in outcome.commands)
            text = "".join(f"{line}\n" for line in outcome.lines)
            write_text(sys.stdout, redacted(commands) + self._plain(redacted(text)))

    def fail(self, command: str, error: AzpackError) -> None:
        """Write the error by which a command ended."""
        self.explain(error)
        if not self.as_json:
            return
        if isinstance(error, FindingsError) and error.findings:
            data = redacted(findings_table(error.findings))
            self._envelope(command, "findings", error.exit_code, data, [])
        else:
            self._envelope(command, "error", error.exit_code, {}, error_rows([error]))

    def explain(self, error: AzpackError) -> None:
        """Write an error for people: the cause and the place, then what to do now."""
        if isinstance(error, FindingsError):
            self.list_findings(error.findings)
        first, *rest = redact(error.message).split("\n")
        self.say(self.paint("error:", "red"), first)
        for line in rest:
            self.say("", line)
        for line in redact(error.hint).splitlines():
            self.say(self.paint("hint:", "cyan"), line)
        if self.service and not isinstance(error, FindingsError):
            self.command(error_command(self.service, error.message))

    def list_findings(self, findings: Sequence[Finding]) -> None:
        """Write findings, of which only errors are worth a line where quiet is asked for."""
        shown = [it for it in findings if it.severity == "error" or not self.quiet]
        if self.service:
            annotated = github_lines if self.service == "github" else azure_lines
            for line in annotated(shown, self.places):
                self.command(line)
            return
        for finding in shown:
            label = self.paint(f"{finding.severity}:", _STYLES[finding.severity])
            place = f"{finding.path}:{finding.line}: " if finding.path and finding.line else ""
            self.say(label, redact(f"{finding.code}: {place}{finding.message}"))
            if finding.hint:
                self.say(self.paint("hint:", "cyan"), redact(finding.hint))

    def command(self, line: str) -> None:
        """Tell the build service something, beside the result."""
        write_text(sys.stderr, f"{redact(line)}\n")

    def write(self, text: str) -> None:
        """Write to standard error, what is no command to a build service."""
        write_text(sys.stderr, self._plain(text))

    def _plain(self, text: str) -> str:
        return without_commands(text) if self.service else text

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
        self.write("\n".join(folded) + "\n")

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
        if self.service:
            text = without_commands_json(text)
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
        self._done = 0
        self._lock = Lock()

    def start(self, name: str, total: int) -> None:  # noqa: ARG002  # a bar shows the total
        """Note the time; the line comes when the stage is over."""
        self._stage, self._started, self._done = name, time.perf_counter(), 0

    def advance(self, amount: int) -> None:
        """Count the bytes; called by several threads."""
        with self._lock:
            self._done += amount

    def stop(self, *, done: bool) -> None:
        """Write how long the stage took, and how many bytes came in that time."""
        seconds = time.perf_counter() - self._started
        if not self._shown or not done or seconds < _WORTH_A_LINE.get(self._stage, 0.0):
            return
        text = f"{_DONE.get(self._stage, self._stage)} in {seconds:.1f} s"
        if self._done:
            text += f": {format_size(self._done)}, {format_size(int(self._done / seconds))}/s"
        self._console.write(f"{text}\n")

    def note(self, message: str) -> None:
        """Write a line, unless quiet."""
        if self._shown:
            self._console.say("", redact(message))

    def warn(self, message: str) -> None:
        """Write a warning."""
        if not self._console.quiet:
            self._console.say(self._console.paint("warning:", "yellow"), redact(message))

    def log(self, message: str) -> None:
        """Write a detail, under -v."""
        if self._console.verbosity:
            self._console.write(f"{self._console.paint(redact(message), 'dim')}\n")


def status_of(outcome: Outcome) -> str:
    """The status of an outcome in the JSON of the contract."""
    if all(isinstance(error, FindingsError) for error in outcome.failed):
        return "findings" if outcome.exit_code else "ok"
    return "error"


def error_rows(errors: Sequence[AzpackError]) -> list[dict[str, Any]]:
    """Errors as the JSON of the contract has them; what was found is not among them."""
    return [
        {
            "code": error.code,
            "message": redact(error.message),
            "hint": redact(error.hint),
            "context": redacted(error.context),
        }
        for error in errors
        if not (isinstance(error, FindingsError) and error.findings)
    ]


def findings_table(findings: Sequence[Finding]) -> dict[str, Any]:
    """What was found, as `data` of the JSON of the contract has it."""
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
