from __future__ import annotations

import errno
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azpack.cli import build_command, runtimes_command
from azpack.cli import main as module
from azpack.cli.console import Outcome
from azpack.cli.main import Invocation, main
from azpack.errors import (
    AzpackError,
    FileError,
    FindingsError,
    ResolutionError,
    UnreachableError,
    UsageError,
    WheelError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The contract's table of exit codes, by what is raised.
EXIT_CODES = [
    (FindingsError([]), 1),
    (UsageError("c", "m"), 2),
    (ResolutionError("c", "m"), 3),
    (WheelError("c", "m"), 4),
    (UnreachableError("c", "m"), 5),
    (FileError("c", "m"), 6),
    (PermissionError(errno.EACCES, "Permission denied", "/x"), 6),
    (AzpackError("c", "m"), 70),
    (RuntimeError("m"), 70),
    (RecursionError(), 70),
    (KeyboardInterrupt(), 130),
]


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AZPACK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZPACK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("AZPACK_IGNORE", "AZP104")  # the apps have no function


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "host.json").write_text("{}")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """`command(what)`: `azpack runtimes` raises that error, or returns that."""

    def replace(what: Any) -> None:
        def run(_: Invocation) -> Any:
            if isinstance(what, BaseException):
                raise what
            return what

        monkeypatch.setattr(runtimes_command, "run", run)

    return replace


def all_errors(kind: type[AzpackError]) -> set[type[AzpackError]]:
    return {kind}.union(*map(all_errors, kind.__subclasses__()))


def test_there_is_an_exit_code_for_each_kind_of_error() -> None:
    import azpack.deps.obtain  # noqa: F401  # has one of its own

    codes = {kind.exit_code for kind in all_errors(AzpackError)}
    assert codes <= {code for _, code in EXIT_CODES}
    assert {UsageError.exit_code, ResolutionError.exit_code, WheelError.exit_code} == {2, 3, 4}
    assert {UnreachableError.exit_code, FileError.exit_code, AzpackError.exit_code} == {5, 6, 70}


@pytest.mark.parametrize(("error", "code"), EXIT_CODES)
@pytest.mark.parametrize("as_json", [False, True])
def test_exit_codes(
    error: BaseException,
    code: int,
    as_json: bool,
    command: Callable[[Any], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    command(error)
    assert main(["runtimes", *(["--json"] if as_json else [])]) == code
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ")
    assert "Traceback" not in shown.err
    if as_json:
        envelope = json.loads(shown.out)
        assert envelope["command"] == "runtimes"
        assert (envelope["status"], envelope["exit_code"]) == ("error", code)
        assert len(envelope["errors"]) == 1
    else:
        assert shown.out == ""


def test_who_lacks_the_right_is_told_of_other_places(
    command: Callable[[Any], None], capsys: pytest.CaptureFixture[str]
) -> None:
    command(PermissionError(errno.EACCES, "Permission denied", "/x"))
    assert main(["runtimes"]) == 6
    assert "--output and --cache-dir" in capsys.readouterr().err


def test_a_fault_of_our_own_is_said_to_be_one(
    command: Callable[[Any], None], capsys: pytest.CaptureFixture[str]
) -> None:
    command(ValueError("at https://me:s3cret@host.example/"))
    assert main(["runtimes"]) == 70
    shown = capsys.readouterr().err
    assert "azpack itself has a fault: ValueError" in shown
    assert "-vv" in shown
    assert main(["runtimes", "-vv"]) == 70
    more = capsys.readouterr().err
    assert "Traceback" in more
    assert "s3cret" not in shown + more


def test_a_full_disk(command: Callable[[Any], None], capsys: pytest.CaptureFixture[str]) -> None:
    command(OSError(errno.ENOSPC, "No space left on device", "/x"))
    assert main(["runtimes", "--json"]) == 6
    assert json.loads(capsys.readouterr().out)["errors"][0]["code"] == "disk-full"


def test_an_outcome(command: Callable[[Any], None], capsys: pytest.CaptureFixture[str]) -> None:
    command(Outcome(data={"a": 1}, lines=["b"]))
    assert main(["runtimes"]) == 0
    assert capsys.readouterr() == ("b\n", "")
    assert main(["runtimes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"] == {"a": 1}
    command(None)
    assert main(["runtimes"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--cache-dir", "x", "build"], 2, "--cache-dir stands before the command"),
        (["--verson"], 2, "there is no option --verson"),
        (["nonsense"], 2, "nonsense"),
        (["build", "--nonsense"], 2, "--nonsense"),
        (["check", "--explain", "AZP999"], 2, "no rule is AZP999"),
        (["check", "--explain", "AZP10"], 2, "the beginning of several codes"),
        (["check", "--json", "--format", "sarif", "none"], 2, "does not exist"),
        (["build", "--no-pin"], 2, "--no-pin is for --mode remote"),
        (["build", "--python", "x"], 2, "is not a Python version"),
        (["build", "none"], 2, "does not exist"),
        (["build", "--json", "--output", "-", "--mode", "none"], 2, "--json and --output -"),
    ],
)
@pytest.mark.usefixtures("app")
def test_command_lines_that_are_refused(
    arguments: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    shown = capsys.readouterr().err
    assert says in " ".join(shown.split())
    assert "Traceback" not in shown
    assert main([*arguments, "--json"]) == code
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert says in error["message"]


def test_without_arguments_the_commands_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    shown = capsys.readouterr()
    assert "make the zip of an app" in shown.err
    assert shown.out == ""


def test_a_mistyped_option_before_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--verson"]) == 2
    assert "perhaps you meant --version" in capsys.readouterr().err


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_help_and_version_end_well(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([argument]) == 0
    assert "azpack" in capsys.readouterr().out


@pytest.mark.usefixtures("app")
def test_the_order_of_settings(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def planned(*arguments: str) -> Any:
        assert main(["build", "--dry-run", "--json", "--mode", "none", *arguments]) == 0
        return json.loads(capsys.readouterr().out)["data"]

    assert planned("--python", "3.11")["target"]["plan"] == "flex"
    (app / "pyproject.toml").write_text("[tool.azpack]\nplan = 'premium'\npython = '3.11'\n")
    assert planned()["target"]["plan"] == "premium"
    monkeypatch.setenv("AZPACK_PLAN", "consumption")
    assert planned()["target"]["plan"] == "consumption"
    assert planned("--plan", "dedicated")["target"]["plan"] == "dedicated"
    assert planned()["target"]["python"] == "3.11"


def test_who_chose_the_python_is_said(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def reason(*arguments: str) -> str:
        assert main(["build", "--dry-run", "--mode", "none", *arguments]) == 0
        line = next(line for line in capsys.readouterr().out.splitlines() if "  target" in line)
        return line.partition("Python ")[2].partition(", glibc")[0]

    (app / ".python-version").write_text("3.12\n")
    assert reason() == "3.12 (.python-version)"
    (app / "azpack.toml").write_text("python = '3.13'\n")
    assert reason() == "3.13 (the configuration)"
    monkeypatch.setenv("AZPACK_PYTHON", "3.11")
    assert reason() == "3.11 (AZPACK_PYTHON)"
    assert reason("--python", "3.12") == "3.12 (--python)"
    monkeypatch.setenv("AZPACK_PYTHON", "")
    assert reason() == "3.13 (the configuration)"
    # Where it is refused, that is where to look.
    monkeypatch.setenv("AZPACK_PYTHON", "3.8")
    assert main(["build", "--mode", "none"]) == 2
    assert "Python 3.8 (AZPACK_PYTHON)" in capsys.readouterr().err


@pytest.mark.usefixtures("app")
def test_a_plan_has_the_findings_of_its_build(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["build", "--json", "--mode", "none", "--python", "3.10"]
    found = []
    for more in (["--dry-run"], []):
        assert main([*arguments, *more]) == 0
        found.append(json.loads(capsys.readouterr().out)["data"]["findings"])
    assert found[0] == found[1]
    assert [(it["code"], it["severity"]) for it in found[0]] == [("AZP112", "warning")]


def test_colours_can_stand_in_every_place(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def colored(*arguments: str) -> bool:
        assert main(["build", "--mode", "none", "--python", "3.11", *arguments]) == 0
        return "\x1b[" in capsys.readouterr().out

    assert not colored()
    (app / "azpack.toml").write_text("color = 'always'\n")
    assert colored()
    monkeypatch.setenv("AZPACK_COLOR", "never")
    assert not colored()
    assert colored("--color", "always")


def test_the_envelope_of_a_build(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["build", "--json", "--mode", "none", "--python", "3.11", "--checksum"]
    assert main(arguments) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert set(data) == {
        "package", "manifest", "sbom", "mode", "mode_reason", "target", "distributions", "files",
        "bytecode", "left_out", "findings", "timings",
    }  # fmt: skip
    assert data["bytecode"] is data["left_out"] is None
    assert set(data["package"]) == {
        "path", "content_digest", "sha256", "size", "uncompressed_size", "entries",
    }  # fmt: skip
    assert set(data["target"]) == {"functions", "python", "platform", "glibc", "plan"}
    assert data["files"] == {"included": 1, "ignored": 0}
    assert data["package"]["path"] == str(app / "dist/app.zip")
    assert len(data["package"]["sha256"]) == 64
    assert main([*arguments[:-1]]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["package"]["sha256"] is None


def test_the_envelope_of_files(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (app / ".git").mkdir()
    assert main(["files", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert data["included"] == ["host.json"]
    assert set(data["ignored"][0]) == {"path", "rule", "source"}


@pytest.mark.usefixtures("app")
def test_a_quiet_build_prints_its_path(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "-q", "--mode", "none", "--python", "3.11"]) == 0
    assert capsys.readouterr() == (f"{app}/dist/app.zip\n", "")


def test_the_command_is_named_whatever_stands_before_it(
    command: Callable[[Any], None], capsys: pytest.CaptureFixture[str]
) -> None:
    command(UsageError("c", "m"))
    assert main(["--json", "runtimes"]) == 2  # --json belongs behind the command
    envelope = json.loads(capsys.readouterr().out)
    assert (envelope["command"], envelope["errors"][0]["code"]) == ("runtimes", "usage")


def test_a_reader_that_has_gone(
    command: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    command(BrokenPipeError())
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    assert main(["runtimes"]) == 6


def test_an_end_that_is_asked_for_is_an_interruption(
    command: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_: Invocation) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(runtimes_command, "run", run)
    assert main(["runtimes"]) == 130
    assert module._INTERRUPTED == 130
    command(None)
    assert main(["runtimes"]) == 0


def test_lines_of_a_build_hold_to_the_mode(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Paths are shown as short as they can be named.
    monkeypatch.chdir("/")
    assert build_command.shown_path(Path("/a/b")) == "a/b"
    monkeypatch.chdir("/tmp")  # noqa: S108
    assert build_command.shown_path(Path("/a/b")) == "/a/b"
    assert capsys.readouterr() == ("", "")
