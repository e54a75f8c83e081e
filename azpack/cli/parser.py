"""The parser: which commands and options there are. It imports nothing heavy."""

from __future__ import annotations

import argparse
import os
import re
import sys
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from azpack import __version__
from azpack.app.config import SETTINGS
from azpack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TARGET = ("python", "functions-version", "plan")
_RESOLVING = (
    "requirements",
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "index-strategy",
    "cert",
    "client-cert",
    "resolver",
    "locked",
)
_INDEXES = ("index-url", "extra-index-url", "find-links", "no-index", "cert", "client-cert")
_CHECKING = ("format", "fail-on", "select", "ignore")
_DOCKER = ("docker-image", "docker-platform", "docker-network", "docker-before")
_HELP = {
    "cache-dir": "where wheels are kept between builds",
    "cert": "the certificates of the authorities to trust, in place of the usual ones",
    "client-cert": "a certificate with its key, for indexes that ask for one",
    "checksum": "also make the zip's SHA-256, which takes longer than the rest",
    "color": "auto, always or never",
    "compile": "also ship bytecode for the app's Python, so that it starts faster; takes an "
    "interpreter of that version",
    "docker-before": "a command to run in the container first, such as "
    "'apt-get install -y libpq-dev'; may be repeated",
    "docker-image": "the image to build in (default: the manylinux image for the target's glibc)",
    "docker-network": "the container's network, such as host or none",
    "docker-platform": "the image's platform (default: linux/amd64)",
    "exclude": "an ignore pattern, after those of .funcignore; may be repeated",
    "extra-index-url": "an index that is asked before the main one; may be repeated",
    "fail-on": "the least severity to fail on, with exit code 1: error (default), warning or never",
    "find-links": "a folder or page with distributions; may be repeated",
    "format": "text, json, sarif, or the annotations of github or azure, which are chosen by "
    "themselves there (default: text)",
    "functions-version": "the Functions runtime (default: 4)",
    "ignore": "a rule to leave out, by its code or the beginning of codes; may be repeated",
    "index-strategy": "first-match: a name is taken from the first index that has it (default); "
    "best-match: the best version of all indexes, as pip does",
    "index-url": "the main index (default: PyPI)",
    "locked": "fail if pylock.toml is missing or does not answer the requirements",
    "mode": "local: with dependencies for the target, what has no wheel built on this machine; "
    "docker: built in a container; auto: here, and in a container what does not fit from here "
    "(default); remote: with their pins, which the platform installs; none: with the project's "
    "own .python_packages as it is",
    "no-check": "build whatever the checks find",
    "no-index": "ask no index, only --find-links",
    "no-pin": "in mode remote: ship the project's own requirements.txt as it is",
    "output": "the zip; - for standard output (default: dist/NAME.zip in the project)",
    "plan": "flex, consumption, premium or dedicated (default: flex)",
    "python": "the app's Python, as 3.12 (default: .python-version, runtime.txt, or this one; of a "
    "package what its manifest or its code says)",
    "requirements": "where the dependencies are listed; may be repeated (default: pylock.toml, "
    "else requirements.txt, uv.lock, poetry.lock or pyproject.toml)",
    "resolver": "uv (default), or pip-tools, where this machine has the target's Python",
    "sbom": "also write a bill of materials there, as CycloneDX JSON",
    "select": "a rule to check, by its code or the beginning of codes; may be repeated "
    "(default: all)",
    "verify": "load the package with Azure's own runtime library when it is written, which runs "
    "its code",
    "slim": "leave out of the dependencies what a running app never reads: test suites, headers, "
    "type stubs",
}
_METAVARS = {
    "cache-dir": "FOLDER",
    "cert": "FILE",
    "client-cert": "FILE",
    "color": "WHEN",
    "docker-before": "CMD",
    "docker-image": "IMAGE",
    "docker-network": "NAME",
    "docker-platform": "PLATFORM",
    "exclude": "PATTERN",
    "extra-index-url": "URL",
    "fail-on": "SEVERITY",
    "find-links": "PATH",
    "format": "FORMAT",
    "functions-version": "N",
    "ignore": "CODE",
    "index-strategy": "STRATEGY",
    "index-url": "URL",
    "mode": "MODE",
    "output": "FILE",
    "plan": "PLAN",
    "python": "X.Y",
    "requirements": "FILE",
    "resolver": "NAME",
    "sbom": "FILE",
    "select": "CODE",
}
_SHORT = {"output": "-o", "requirements": "-r"}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are azpack's own."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            allow_abbrev=False, add_help=False, formatter_class=_HelpFormatter, **settings
        )
        self.add_argument("-h", "--help", action="help", help="show this and stop")

    def error(self, message: str) -> NoReturn:
        """Raise a UsageError instead of exiting."""
        near = _nearest(message)
        perhaps = f"perhaps you meant {near}; " if near else ""
        if found := re.match(r"argument COMMAND: invalid choice: ('.*?') ", message):
            message = f"there is no command {found[1]}"
        elif found := re.match(r"unrecognized arguments: (-\S+)$", message):
            message = f"there is no option {found[1]}"
        raise UsageError("usage", message, hint=f"{perhaps}see '{self.prog} --help'")


def _nearest(message: str) -> str:
    """The choice or option that a mistyped one is closest to; nothing where none is close."""
    import difflib

    if found := re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message):
        known = re.findall(r"[\w-]+", found[2])
    elif found := re.match(r"unrecognized arguments: ([^\s=]+)", message):
        known = ["--help", "--version", *(f"--{name}" for name in SETTINGS)]
    else:
        return ""
    near = next(iter(difflib.get_close_matches(found[1], known, n=1)), "")
    return near if near != found[1] else ""  # another command has that option


class _HelpFormatter(argparse.HelpFormatter):
    """argparse makes one for each option, and each would import shutil for the width."""

    def __init__(self, prog: str, **settings: Any) -> None:
        super().__init__(prog, **{"width": _columns() - 2, **settings})


@lru_cache
def _columns() -> int:
    try:
        return int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        with suppress(OSError, ValueError, AttributeError):
            return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    return 80


def make_parser(command: str = "") -> Parser:
    """The parser of the command line; values not given are absent from its result.

    Where `command` is one, only that command's options are in it: the others' would cost as much
    as all else that a small build does.
    """
    parser = Parser(prog="azpack", description="Package Python apps for Azure Functions.")
    parser.add_argument(
        "--version", action="version", version=f"azpack {__version__}", help="show the version"
    )
    commands = parser.add_subparsers(
        dest="command",
        required=True,
        metavar="COMMAND",
        title="commands",
        parser_class=Parser,
        prog=parser.prog,  # given, it need not be worked out from a usage text
    )
    for name, (summary, add_options) in _COMMANDS.items():
        description = f"{summary[0].upper()}{summary[1:]}."
        own = commands.add_parser(name, help=summary, description=description)
        if name == command or command not in _COMMANDS:
            _general(own)
            add_options(own)
    return parser


def refuse_early_option(argv: Sequence[str]) -> None:
    """Refuse an option before the command: its value would be taken for the command.

    Raises:
        UsageError: there is one.
    """
    first = argv[0].partition("=")[0]
    if not first.startswith("-") or first in ("-h", "--help", "--version"):
        return
    known = first[2:] in SETTINGS or first in ("-q", "--quiet", "-v", "-vv", "--verbose", "--json")
    if known:
        raise UsageError(
            "usage",
            f"{first} stands before the command",
            hint=f"write it behind: azpack COMMAND {first}; see 'azpack --help'",
        )
    near = _nearest(f"unrecognized arguments: {first}")
    perhaps = f"perhaps you meant {near}; " if near else ""
    raise UsageError("usage", f"there is no option {first}", hint=f"{perhaps}see 'azpack --help'")


def _build(parser: Parser) -> None:
    parser.add_argument(
        "projects",
        nargs="*",
        metavar="PROJECT",
        help="the folder that holds host.json (default: this folder, or its nearest parent); "
        "several are built one after the other",
    )
    parser.add_argument(
        "--all", action="store_true", help="build all apps below PROJECT (default: this folder)"
    )
    _settings(parser, "output", "mode", "no-pin", "exclude", "compile", "slim", "checksum")
    _settings(parser, "sbom", "no-check", "verify")
    parser.add_argument(
        "--dry-run", action="store_true", help="show the plan and its reasons; write nothing"
    )
    _settings(parser, *_TARGET, *_RESOLVING, *_DOCKER)


def _lock(parser: Parser) -> None:
    _project(parser)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions of all")
    parser.add_argument(
        "--upgrade-package",
        metavar="NAME",
        action="append",
        default=[],
        help="take the newest version of this one; may be repeated",
    )
    parser.add_argument(
        "--requirements-txt",
        metavar="FILE",
        help="also write the pins, with hashes, as pip reads them",
    )
    _settings(parser, *_TARGET, *_RESOLVING, *_DOCKER)


def _files(parser: Parser) -> None:
    _project(parser)
    parser.add_argument("--ignored", action="store_true", help="list what would not be packed")
    parser.add_argument(
        "--explain", action="store_true", help="with the file and line of the rule that decided"
    )
    _settings(parser, "exclude", "output", "mode")


def _check(parser: Parser) -> None:
    _project(parser)
    parser.add_argument("--explain", metavar="CODE", help="say what a rule means, and stop")
    _settings(parser, *_CHECKING, "exclude", *_TARGET)


def _inspect(parser: Parser) -> None:
    parser.add_argument("package", metavar="ZIP", help="the package, made by whatever program")
    parser.add_argument(
        "--html",
        metavar="FILE",
        help="also write a page for a browser, with a treemap of the sizes",
    )
    _settings(parser, *_CHECKING, *_TARGET)


def _matrix(parser: Parser) -> None:
    parser.add_argument(
        "folder",
        nargs="?",
        metavar="FOLDER",
        help="where the apps are, at any depth (default: the working folder)",
    )
    parser.add_argument(
        "--since",
        metavar="REVISION",
        help="only apps that differ from where this Git revision and HEAD parted",
    )
    parser.add_argument(
        "--format",
        dest="matrix_format",
        choices=("github", "azure"),
        help="whose matrix (default: azure in a job of Azure Pipelines, else github)",
    )


def _diff(parser: Parser) -> None:
    parser.add_argument("old", metavar="OLD", help="the package before, a zip")
    parser.add_argument("new", metavar="NEW", help="the package after, a zip")
    parser.add_argument("--exit-code", action="store_true", help="exit with 1 where they differ")
    parser.add_argument(
        "--format",
        choices=("text", "json", "markdown"),
        metavar="FORMAT",
        help="text, json, or markdown for the comment on a pull request (default: text)",
    )
    _settings(parser, "select", "ignore")


def _verify(parser: Parser) -> None:
    parser.add_argument("package", metavar="ZIP", help="the package; its code is run")
    add = parser.add_argument
    add("--settings", metavar="FILE", help="app settings, as local.settings.json has them")
    add(
        "-e", "--env", metavar="NAME=VALUE", action="append", default=[],
        help="an app setting; may be repeated",
    )  # fmt: skip
    add(
        "--invoke", metavar="NAME", action="append", default=[],
        help="also invoke an HTTP function, which runs its code for real, or all-http for all; may "
        "be repeated",
    )  # fmt: skip
    add("--timeout", metavar="SECONDS", default="60", help="for all that is run (default: 60)")
    add("--in-docker", metavar="IMAGE", help="in a container of this image, not on this machine")
    add("--runtime-dir", metavar="FOLDER", help="Azure's runtime library, if no index has it")
    _settings(parser, *_TARGET, *_INDEXES, "docker-network", "docker-platform")


def _cache(parser: Parser) -> None:
    parser.add_argument(
        "action",
        choices=("info", "prune", "clear"),
        help="info: what it takes; prune: remove what 30 days of builds did not use; "
        "clear: remove everything",
    )


def _completion(parser: Parser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="bash, zsh or fish")


def _runtimes(_: Parser) -> None:
    """It has no options of its own."""


_COMMANDS: dict[str, tuple[str, Callable[[Parser], None]]] = {
    "build": ("make the zip of an app, with its dependencies", _build),
    "lock": ("resolve for the target and write pylock.toml", _lock),
    "files": ("list the files that would be packed", _files),
    "check": ("look for what would fail on Azure", _check),
    "inspect": ("show what is in a package, and what is wrong with it", _inspect),
    "matrix": ("list the apps of a repository that changed, for a pipeline's jobs", _matrix),
    "diff": ("show what changed between two packages", _diff),
    "verify": ("load a package with Azure's own runtime library", _verify),
    "cache": ("look at the wheel store, or clear it", _cache),
    "runtimes": ("show the table of runtimes", _runtimes),
    "completion": ("print what makes a shell complete azpack's commands", _completion),
}


def _general(parser: Parser) -> None:
    general = parser.add_argument_group("general options")
    general.add_argument("--json", action="store_true", help="print one JSON object")
    general.add_argument("-q", "--quiet", action="store_true", help="no progress, no warnings")
    general.add_argument(
        "-v", "--verbose", action="count", default=0, help="say more; twice: debug"
    )
    _settings(general, "color", "cache-dir")


def _project(parser: Parser) -> None:
    parser.add_argument(
        "project",
        nargs="?",
        metavar="PROJECT",
        help="the folder that holds host.json (default: this folder, or its nearest parent)",
    )


def _settings(parser: argparse._ActionsContainer, *names: str) -> None:
    for name in names:
        setting = SETTINGS[name]
        flags = [f"--{name}"]
        if name in _SHORT:
            flags.insert(0, _SHORT[name])
        kind: dict[str, Any] = {"metavar": _METAVARS.get(name)}
        if setting.kind == "flag":
            kind = {"action": "store_true"}
        elif setting.kind == "list":
            kind["action"] = "append"
        if setting.choices:
            kind["choices"] = setting.choices
        parser.add_argument(*flags, dest=name, default=argparse.SUPPRESS, help=_HELP[name], **kind)
