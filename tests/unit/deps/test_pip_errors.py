# ruff: noqa: RUF001  # the frame that pip draws around its messages
from __future__ import annotations

from pathlib import Path

import pytest

from azpack.deps.pip_errors import explain_failure, find_silent_index
from azpack.deps.requirements import Requirement, Requirements
from azpack.errors import AzpackError, FileError, ResolutionError, UnreachableError, UsageError
from azpack.target.target import find_target

TARGET = find_target(Path("/project"), python="3.12")
GIVEN = Path("/work/azpack-1/requirements.in")
CONSTRAINTS = Path("/work/azpack-1/constraints.txt")
STAMP = "2026-11-20T13:37:50,815"
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n    cli()\n'


def logged(*lines: str) -> str:
    return "".join(f"{STAMP} {line}\n" for line in lines)


def explained(
    output: str, *lines: str, log: str = "", constraints: tuple[str, ...] = ()
) -> AzpackError:
    asked = tuple(
        Requirement(text=line, place=f"in.txt:{number}") for number, line in enumerate(lines, 5)
    )
    limits = tuple(Requirement(text=line, place="c.txt:1") for line in constraints)
    requirements = Requirements(
        kind="requirements", files=("in.txt",), digest="", requirements=asked, constraints=limits
    )
    return explain_failure(log, output, requirements, TARGET, {GIVEN: asked, CONSTRAINTS: limits})


def test_a_conflict() -> None:
    output = (
        f"  ERROR: Cannot install -r {GIVEN} (line 2) and idna==2.0 because these package versions "
        "have conflicting dependencies.\n" + TRACEBACK + "x.RequirementsConflicted: conflict\n\n"
        "The above exception was the direct cause of the following exception:\n\n"
        + TRACEBACK
        + "pip._internal.exceptions.DistributionNotFound: ResolutionImpossible: for help visit …\n"
    )
    log = logged(
        "  Collecting idna==2.0",
        "  The conflict is caused by:",
        "      The user requested idna==2.0",
        "      requests 2.32.3 depends on idna<4 and >=2.5",
        "  ",
        "  Additionally, some packages in these conflicts have no matching distributions:",
        "      idna",
        "  To fix this you could try to:",
    )
    error = explained(output, "idna==2.0", "requests==2.32.3", "six", log=log)
    assert isinstance(error, ResolutionError)
    assert error.message == (
        "in.txt:5 (idna==2.0), in.txt:6 (requests==2.32.3) can't be resolved for Python 3.12 on "
        "manylinux_2_36_x86_64\n"
        "  Cannot install in.txt:6 (requests==2.32.3) and idna==2.0 because these package versions "
        "have conflicting dependencies.\n"
        "  The conflict is caused by:\n"
        "      The user requested idna==2.0\n"
        "      requests 2.32.3 depends on idna<4 and >=2.5"
    )
    assert error.hint.startswith("loosen")
    assert error.context["files"] == ["in.txt"]


def test_a_constraint() -> None:
    output = (
        f"  ERROR: Cannot install idna>3 and -c {CONSTRAINTS} (line 1) because these package "
        "versions have conflicting dependencies.\n"
    )
    log = logged(
        "  The conflict is caused by:",
        "      The user requested idna>3",
        "      The user requested (constraint) idna<3",
    )
    message = explained(output, "idna>3", constraints=("idna<3",), log=log).message
    assert message.startswith("in.txt:5 (idna>3), c.txt:1 (idna<3) can't be resolved")
    assert "idna>3 and c.txt:1 (idna<3) because" in message


@pytest.mark.parametrize(
    ("name", "versions", "shown", "hint"),
    [
        (
            "idna==99",
            "0.2, 0.3, 1.0, 2.0, 2.1, 3.0, 3.1",
            "(it has …, 2.1, 3.0, 3.1)",
            "ask for a version",
        ),
        ("idna==99", "1.0, 2.0", "(from versions: 1.0, 2.0)", "ask for a version"),
        ("nothing", "none", "(from versions: none)", "check the spelling"),
        ("pywin32", "none", "(from versions: none)", "sys_platform == 'win32'"),
    ],
)
def test_what_no_index_has(name: str, versions: str, shown: str, hint: str) -> None:
    error = explained(
        "  ERROR: Could not find a version that satisfies the requirement "
        f"{name} (from versions: {versions})\n{TRACEBACK}"
        f"pip._internal.exceptions.DistributionNotFound: No matching distribution found\n",
        "six",
        name,
    )
    assert error.message.startswith(f"in.txt:6 ({name}) can't be resolved")
    assert error.message.endswith(f"satisfies the requirement {name} {shown}")
    assert hint in error.hint


@pytest.mark.parametrize(
    ("name", "hint"),
    [("My.Wheel==2", "a wheel or an sdist for the target"), ("pywin32", "sys_platform == 'win32'")],
)
def test_what_has_no_wheel_that_fits(name: str, hint: str) -> None:
    log = logged(
        *(
            "  Skipping link: none of the wheel's tags (cp39-cp39-win32) are compatible (run pip "
            f"debug …): https://x/{file}-2-cp39-cp39-win32.whl#sha256=ff (from https://x/)"
            for file in ("my_wheel", "pywin32")
        )
    )
    error = explained(
        "  ERROR: Could not find a version that satisfies the requirement "
        f"{name} (from a) (from versions: none)\n{TRACEBACK}",
        name,
        log=log,
    )
    assert error.message.endswith("(from a) (its wheels are for other systems or Pythons)")
    assert hint in error.hint


def test_a_path_that_is_not_there() -> None:
    error = explained(
        f"{TRACEBACK}pip._internal.exceptions._base.InstallationError: Invalid requirement: "
        "'./nope': Expected package name at the start of dependency specifier\n"
        f"    ./nope\n    ^ (from line 1 of {GIVEN})\n"
        "Hint: It looks like a path. File './nope' does not exist.\n",
        "./nope",
    )
    assert error.message.startswith("in.txt:5 (./nope) can't be resolved")
    assert error.message.endswith("\n  File './nope' does not exist")
    assert "relative to the project" in error.hint


def test_a_line_that_is_no_requirement() -> None:
    error = explained(f"{TRACEBACK}pip._internal.X: Invalid requirement: 'a=='\n", "six", "a==")
    assert isinstance(error, UsageError)
    assert error.message.startswith("in.txt:6: ")


def test_a_file_that_is_not_there() -> None:
    error = explained(
        "    ERROR: HTTP error 404 while getting https://me:secret@x.example/a.whl\n"
        f"{TRACEBACK}pip._internal.exceptions._base.InstallationError: Could not install "
        f"requirement a (from -r {GIVEN} (line 1)) because of HTTP error 404 Client Error\n",
        "a @ https://me:secret@x.example/a.whl",
    )
    assert isinstance(error, ResolutionError)
    assert "in.txt:5 (a @ https://****@x.example/a.whl)" in error.message
    assert "mend the URL" in error.hint
    assert "secret" not in f"{error.message}{error.context}"


def test_a_build_that_fails() -> None:
    output = (
        "    error: subprocess-exited-with-error\n    \n"
        "    × Preparing metadata (pyproject.toml) did not run successfully.\n"
        "    │ exit code: 1\n"
        "    ╰─> No available output.\n    \n"
        "    note: This error originates from a subprocess.\n"
        f"{TRACEBACK}pip._internal.exceptions.MetadataGenerationFailed: metadata failed\n"
    )
    log = logged(
        f"  Added a==1 from https://x/a-1.tar.gz (from -r {GIVEN} (line 1)) to build tracker '/b'",
        "  Running command Getting requirements to build wheel",
        "    warning: first",
        "  Running command Preparing metadata (pyproject.toml)",
        *(f"    line {number}" for number in range(40)),
        "    ModuleNotFoundError: No module named 'numpy'",
        "    ERROR: Preparing metadata (pyproject.toml) exited with 1",
    )
    error = explained(output, "a==1", log=log)
    lines = error.message.splitlines()
    assert lines[0].startswith("in.txt:5 (a==1) can't be resolved")
    assert lines[1] == (
        "  a==1 (from in.txt:5 (a==1)): Preparing metadata (pyproject.toml) did not run "
        "successfully."
    )
    assert lines[-2:] == ["    line 39", "    ModuleNotFoundError: No module named 'numpy'"]
    assert len(lines) < 20
    assert "it needs numpy to be built" in error.hint


def test_a_backend_that_is_none() -> None:
    output = (
        "    error: backend-unavailable\n    \n"
        "    × Cannot import build backend 'nope'.\n"
        "    ╰─> ModuleNotFoundError: No module named 'nope'\n    \n"
        "    note: This is likely not a problem with pip.\n"
    )
    error = explained(output, "./lib")
    assert error.message.endswith(
        "\n  Cannot import build backend 'nope'.\n  ModuleNotFoundError: No module named 'nope'"
    )
    assert "build requirements" in error.hint


@pytest.mark.parametrize(
    ("reason", "code", "says"),
    [
        ("connection error: [Errno 111] Connection refused", "index-unreachable", "not answer"),
        ("Max retries (… too many 500 error responses)", "index-unreachable", "with an error"),
        (
            "There was a problem confirming the ssl certificate: …",
            "index-unreachable",
            "not answer",
        ),
        ("401 Client Error: Unauthorized for url: …", "index-refused", "credentials"),
        ("403 Client Error: Forbidden for url: …", "index-refused", "credentials"),
    ],
)
def test_an_index_that_pip_passes_over(reason: str, code: str, says: str) -> None:
    log = logged(
        "  Could not fetch URL https://y.example/a/: 404 Client Error: Not Found - skipping",
        f"  Could not fetch URL https://u:secret@x.example/a/: {reason} - skipping",
    )
    error = find_silent_index(log)
    assert isinstance(error, UnreachableError)
    assert error.code == code
    assert says in error.message
    assert "https://****@x.example/a/" in error.message
    # It is the cause of what is said to be missing.
    missing = (
        "  ERROR: Could not find a version that satisfies the requirement a (from versions: none)\n"
    )
    assert explained(missing, "a", log=log).code == code


def test_a_name_that_an_index_does_not_have_is_no_fault() -> None:
    log = logged(
        "  Could not fetch URL https://y.example/a/: 404 Client Error: Not Found - skipping",
        "  Could not fetch URL https://y.example/b/: 410 Client Error: Gone - skipping",
        "  Fetched page https://x.example/a/",
    )
    assert find_silent_index(log) is None


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("network.NetworkConnectionError: 401 Client Error: Unauthorized", "index-refused"),
        ("network.NetworkConnectionError: 503 Server Error: x", "index-unreachable"),
        ("x.ConnectionError: HTTPConnectionPool(…): Max retries exceeded", "index-unreachable"),
    ],
)
def test_a_file_that_can_not_be_had(message: str, code: str) -> None:
    error = explained(f"{TRACEBACK}pip._internal.exceptions.{message}\n", "a")
    assert (error.code, error.exit_code) == (code, 5)


@pytest.mark.parametrize(("number", "code"), [(28, "disk-full"), (13, "pip-cannot-write")])
def test_a_disk_that_is_full(number: int, code: str) -> None:
    error = explained(f"{TRACEBACK}OSError: [Errno {number}] No space left on device\n", "a")
    assert isinstance(error, FileError)
    assert error.code == code


def test_what_nobody_foresaw() -> None:
    error = explained(f"{TRACEBACK}AttributeError: 'X' has no y\n", "a")
    assert isinstance(error, ResolutionError)
    assert "AttributeError: 'X' has no y" in error.message
