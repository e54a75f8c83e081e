"""What all tests share: what a machine must have (`--require`), and unit tests without a world."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_UNIT_TESTS = Path(__file__).resolve().parent / "unit"
_REQUIRABLE = ("pythons", "git", "mount", "docker")


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
