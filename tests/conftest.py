"""What all tests share: what a machine must have (`--require`), and unit tests without a world."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import settings

from azpack.deps.engine import connect
from azpack.deps.interpreters import find_interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from azpack.deps.engine import Engine

# A machine that is busy is no fault of the code.
settings.register_profile("azpack", deadline=None)
settings.load_profile("azpack")

_UNIT_TESTS = Path(__file__).resolve().parent / "unit"
_REQUIRABLE = ("pythons", "git", "gcc", "mount", "docker", "zip", "chromium", "shells")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require",
        action="append",
        choices=_REQUIRABLE,
        default=[],
        help="fail the tests that lack this on this machine, rather than skip them; "
        "may be repeated",
    )


@pytest.fixture(scope="session")
def need(request: pytest.FixtureRequest) -> Callable[[str, str], NoReturn]:
    """`need(name, reason)`: end the test for want of something that this machine lacks.

    The test is skipped, or with `--require NAME` fails: where all is said to be there, a test
    that can't run is a fault.
    """
    required: list[str] = request.config.getoption("--require")

    def end_test(name: str, reason: str) -> NoReturn:
        __tracebackhide__ = True
        if name not in _REQUIRABLE:
            raise ValueError(f"{name!r} is not among {_REQUIRABLE}")
        if name in required:
            pytest.fail(f"{reason} (--require {name})")
        pytest.skip(reason)

    return end_test


@pytest.fixture(scope="session")
def git(need: Callable[[str, str], NoReturn]) -> str:
    """The path of the program git."""
    return shutil.which("git") or need("git", "there is no git here")


@pytest.fixture(scope="session")
def compiler(need: Callable[[str, str], NoReturn]) -> str:
    """The path of the C compiler gcc."""
    return shutil.which("gcc") or need("gcc", "there is no gcc here")


@pytest.fixture(scope="session")
def pythons(need: Callable[[str, str], NoReturn]) -> None:
    """There is an interpreter of each version that is packaged and released as this is written."""
    for version in ("3.10", "3.11", "3.12", "3.13"):
        if find_interpreter(version, os.environ) is None:
            need("pythons", f"there is no Python {version} here")


@pytest.fixture(scope="session")
def chromium(need: Callable[[str, str], NoReturn]) -> tuple[str, str]:
    """The paths of the programs chromium and chromedriver."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        need("chromium", "there is no chromium here, or no chromedriver for it")
    return browser, driver


@pytest.fixture(scope="session")
def docker_host(need: Callable[[str, str], NoReturn]) -> str:
    """The DOCKER_HOST of an engine for tests, which has the images that `.ci/engine` makes."""
    host = os.environ.get("TEST_ENGINE", "")
    return host or need("docker", "TEST_ENGINE names no engine: see .ci/engine")


@pytest.fixture(scope="session")
def remote_docker_host(docker_host: str) -> str:
    """The same engine as it is reached from another machine: over TCP, with no folder in common."""
    return Path(docker_host.removeprefix("unix://")).with_name("tcp").read_text().strip()


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder for sockets, whose paths may not be as long as those of `tmp_path`."""
    with tempfile.TemporaryDirectory(prefix="azpack-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def engine(docker_host: str) -> Iterator[Engine]:
    """The engine of `docker_host`."""
    with connect({"DOCKER_HOST": docker_host}) as engine:
        yield engine


@pytest.fixture(autouse=True)
def _no_build_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests say themselves which service azpack is to think it runs in."""
    for name in ("GITHUB_ACTIONS", "TF_BUILD"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _no_world_in_unit_tests(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not request.path.is_relative_to(_UNIT_TESTS):
        return

    def refuse(what: str) -> Callable[..., NoReturn]:
        def refused(*_: object, **__: object) -> NoReturn:
            raise AssertionError(f"a unit test may not {what}")

        return refused

    # Methods, not the classes: code that holds `Popen` already, or writes `Popen[bytes]`, meets
    # the refusal all the same.
    monkeypatch.setattr(subprocess.Popen, "__init__", refuse("start a process"))
    monkeypatch.setattr(socket.socket, "connect", refuse("connect a socket"))
    monkeypatch.setattr(socket.socket, "connect_ex", refuse("connect a socket"))
    monkeypatch.setattr(socket, "getaddrinfo", refuse("look up a host"))
