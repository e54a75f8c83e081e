"""Entry point: arguments in, one outcome or one error out, and the exit code of the contract."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from azpack.cli.console import Console
from azpack.cli.parser import make_parser, refuse_early_option
from azpack.errors import AzpackError, FileError, UsageError, as_azpack_error
from azpack.redaction import redact

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from types import FrameType

    from azpack.app.config import Value
    from azpack.cli.console import Outcome
    from azpack.options import Options

_INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One call of azpack: its arguments, and where it writes to."""

    arguments: argparse.Namespace
    console: Console

    @property
    def project(self) -> Path | None:
        """The folder that was named, if one was."""
        named = self.arguments.project
        return Path(named) if named is not None else None

    def given(self) -> dict[str, Value]:
        """The settings that the command line names."""
        from azpack.app.config import SETTINGS

        return {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in vars(self.arguments).items()
            if name in SETTINGS
        }

    def settings(self, root: Path) -> dict[str, Value]:
        """All settings for the project at `root`; the console takes its own from them."""
        from azpack.app.config import load_settings

        settings = {**load_settings(root, os.environ), **self.given()}
        self.console.color = str(settings.get("color", "auto"))
        return settings

    def options(self, root: Path) -> Options:
        """The options for the project at `root`, and who chose its Python."""
        return self.options_from(self.settings(root))

    def options_from(self, settings: Mapping[str, Value]) -> Options:
        """The options in settings, and who chose the Python."""
        from azpack.options import Options

        options = Options.from_settings(settings)
        if "python" in self.given():
            origin = "--python"
        else:
            origin = "AZPACK_PYTHON" if os.environ.get("AZPACK_PYTHON") else "the configuration"
        return replace(options, python_origin=origin)


def run() -> NoReturn:
    """Run azpack and end the process.

    It ends without waiting for threads: one that hangs on a dead connection must not keep a user
    who interrupted, or who has an error to read.
    """
    gc.disable()  # a process this short has done its work before collecting would pay
    _fill_streams()
    _read_names_as_utf8()
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:  # a second one, while the first was seen to
        code = _INTERRUPTED
    _remove_containers()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # the reader has gone
            code = code or FileError.exit_code
    if code:
        _stop_children("self")
    os._exit(code)


def _remove_containers() -> None:
    """Remove what a second interrupt kept from being removed."""
    if container := sys.modules.get("azpack.deps.container"):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        container.remove_living()


def _stop_children(process: str) -> None:
    """End what was started, such as a build back end that another thread waits for (Linux)."""
    for tasks in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            for child in tasks.read_text().split():
                _stop_children(child)
                os.kill(int(child), signal.SIGTERM)


def _fill_streams() -> None:
    """Put the null device where a standard stream was closed, lest another file takes its number.

    Python has None for such a stream.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _read_names_as_utf8() -> None:
    """Start again in Python's UTF-8 mode where the locale has another encoding.

    The names in a package are UTF-8, whatever the locale of who builds it.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  # ourselves


def main(argv: Sequence[str]) -> int:
    """Run the command line `argv` and return the exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    # Before the arguments are understood these two decide how to say that they are not.
    console = Console(as_json="--json" in argv, verbosity=_verbosity(argv))
    command = next((word for word in argv if not word.startswith("-")), "")
    try:
        if not argv:
            console.write(make_parser().format_help())
            return UsageError.exit_code
        refuse_early_option(argv)
        arguments = make_parser(command).parse_args(argv)
        console = Console(
            as_json=arguments.json or getattr(arguments, "format", "") == "json",
            quiet=arguments.quiet,
            verbosity=arguments.verbose,
            color=getattr(arguments, "color", os.environ.get("AZPACK_COLOR") or "auto"),
        )
        module = import_module(f"azpack.cli.{arguments.command}_command")
        outcome: Outcome | None = module.run(Invocation(arguments=arguments, console=console))
        if outcome is not None:
            _show(console, command, outcome)
            return outcome.exit_code
    except SystemExit as exit_:  # --help and --version
        return int(exit_.code or 0)
    except KeyboardInterrupt:
        return _fail(console, command, _InterruptedError("interrupted", "interrupted"))
    except BrokenPipeError:
        # Nobody reads the rest, and Python must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FileError.exit_code
    except Exception as error:  # the last line of defence: every fault has its exit code
        if console.verbosity >= 2:
            _trace(console)
        return _fail(console, command, as_azpack_error(error))
    return 0


def _show(console: Console, command: str, outcome: Outcome) -> None:
    try:
        console.show(command, outcome)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileError(
            "result-not-written", f"standard output can't be written: {error.strerror}"
        ) from error


def _fail(console: Console, command: str, error: AzpackError) -> int:
    with suppress(OSError):  # where nothing can be written, the exit code says it
        console.fail(command, error)
    return error.exit_code


def _trace(console: Console) -> None:
    import traceback

    with suppress(OSError):
        console.write(redact(traceback.format_exc()))


class _InterruptedError(AzpackError):
    exit_code = _INTERRUPTED


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _verbosity(argv: Sequence[str]) -> int:
    return max((word.count("v") for word in argv if word in ("-v", "-vv")), default=0)
