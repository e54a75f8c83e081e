from __future__ import annotations

import argparse
import re
from typing import Any

import pytest

from azpack.app.config import SETTINGS
from azpack.cli.parser import make_parser
from azpack.errors import UsageError

# The rows of the contract's table of options of `build`, and what is of every command.
CONTRACT = {
    "-o", "--output", "--mode", "--python", "--functions-version", "--plan", "-r", "--requirements",
    "--index-url", "--extra-index-url", "--find-links", "--no-index", "--index-strategy",
    "--cert", "--client-cert", "--resolver", "--locked", "--docker-image", "--docker-platform",
    "--docker-network", "--docker-before", "--exclude", "--compile", "--slim", "--sbom",
    "--checksum", "--dry-run", "--no-check", "--no-pin", "--all", "--verify",
}  # fmt: skip
GENERAL = {"-h", "--help", "--json", "-q", "--quiet", "-v", "--verbose", "--color", "--cache-dir"}
RESOLVING = {
    "--python", "--functions-version", "--plan", "-r", "--requirements", "--index-url",
    "--extra-index-url", "--find-links", "--no-index", "--index-strategy", "--cert",
    "--client-cert", "--resolver", "--locked",
}  # fmt: skip
DOCKER = {"--docker-image", "--docker-platform", "--docker-network", "--docker-before"}
CHECKING = {"--format", "--fail-on", "--select", "--ignore"}
TARGET = {"--python", "--functions-version", "--plan"}
OPTIONS = {
    "build": CONTRACT,
    "lock": RESOLVING | DOCKER | {"--upgrade", "--upgrade-package", "--requirements-txt"},
    "files": {"--ignored", "--explain", "--exclude", "-o", "--output", "--mode"},
    "check": {"--explain", *CHECKING, *TARGET, "--exclude"},
    "inspect": {"--html", *CHECKING, *TARGET},
    "matrix": {"--since", "--format"},
    "diff": {"--exit-code", "--format", "--select", "--ignore"},
    "verify": {
        "--settings",
        "-e",
        "--env",
        "--invoke",
        "--timeout",
        "--in-docker",
        "--runtime-dir",
        "--docker-network",
        "--docker-platform",
        "--index-url",
        "--extra-index-url",
        "--find-links",
        "--no-index",
        "--cert",
        "--client-cert",
        *TARGET,
    },
    "cache": set(),
    "runtimes": set(),
    "completion": set(),
}


def parse(*arguments: str) -> dict[str, Any]:
    return vars(make_parser().parse_args(arguments))


def fails(*arguments: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse(*arguments)
    assert caught.value.exit_code == 2
    return caught.value


def commands() -> dict[str, argparse.ArgumentParser]:
    for action in make_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("no commands")


def test_the_commands_are_those_that_work() -> None:
    assert commands().keys() == OPTIONS.keys()


@pytest.mark.parametrize("command", OPTIONS)
def test_the_options_are_those_of_the_contract_that_work(command: str) -> None:
    parser = commands()[command]
    options = {flag for action in parser._actions for flag in action.option_strings}
    assert options == OPTIONS[command] | GENERAL
    text = parser.format_help()
    shown = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))
    assert options <= shown
    assert "==SUPPRESS==" not in text


@pytest.mark.parametrize("command", OPTIONS)
def test_every_option_is_explained(command: str) -> None:
    for action in commands()[command]._actions:
        assert action.help
        assert not action.help.endswith(".")
        if action.choices is not None:
            for choice in action.choices:
                assert choice in action.help


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "COMMAND"),
        (("bild",), "bild"),
        (("build", "--unknown"), "--unknown"),
        (("build", "--check"), "--check"),
        (("lock", "a", "b"), "b"),
        (("build", "--out", "x"), "--out"),  # no abbreviations: the next version may add another
        (("build", "--json=1"), "--json"),
        (("build", "--plan", "free"), "free"),
        (("build", "--mode", "fast"), "fast"),
        (("build", "--index-strategy", "worst"), "worst"),
        (("build", "--output"), "--output"),
        (("build", "--upgrade"), "--upgrade"),
        (("lock", "--output", "x"), "--output"),
        (("diff", "a.zip"), "NEW"),
        (("diff", "a.zip", "b.zip", "--format", "sarif"), "sarif"),
        (("cache",), "action"),
        (("cache", "burn"), "burn"),
        (("runtimes", "x"), "x"),
    ],
)
def test_what_is_no_command_line(arguments: tuple[str, ...], named: str) -> None:
    error = fails(*arguments)
    assert error.code == "usage"
    assert named in error.message
    assert "--help" in error.hint


def test_what_is_not_given_is_absent() -> None:
    assert parse("build") == {
        "command": "build",
        "projects": [],
        "all": False,
        "json": False,
        "quiet": False,
        "verbose": 0,
        "dry_run": False,
    }


def test_what_is_given() -> None:
    given = parse(
        "build", "app", "-o", "-", "-r", "a", "--requirements=b", "--extra-index-url", "c",
        "--no-index", "--exclude", "*.md", "-qvv", "--python", "3.12", "--python=3.13", "--dry-run",
    )  # fmt: skip
    assert given == {
        "command": "build",
        "projects": ["app"],
        "all": False,
        "output": "-",
        "requirements": ["a", "b"],
        "extra-index-url": ["c"],
        "no-index": True,
        "exclude": ["*.md"],
        "python": "3.13",
        "json": False,
        "quiet": True,
        "verbose": 2,
        "dry_run": True,
    }
    assert {name for name in given if name in SETTINGS} == {
        "output", "requirements", "extra-index-url", "no-index", "exclude", "python",
    }  # fmt: skip
    lock = parse("lock", "--upgrade-package", "a", "--upgrade-package", "b")
    assert (lock["upgrade"], lock["upgrade_package"]) == (False, ["a", "b"])


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["build", "-h"]])
def test_help_and_version(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        make_parser().parse_args(arguments)
    assert caught.value.code == 0
    shown = capsys.readouterr()
    assert shown.out
    assert not shown.err
