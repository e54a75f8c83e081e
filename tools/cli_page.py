"""docs/cli.md, made from the parser of the command line, the settings and the errors."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from azpack import errors
from azpack.app.config import SETTINGS
from azpack.cli.parser import make_parser

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from azpack.app.config import Setting

__all__ = ["cli_page", "commands"]

_HEAD = """\
# Command line

Every command with its options, as `azpack COMMAND --help` has them. This page is made from the
program. [Reference](reference.md) says what the options do together: where dependencies are listed,
which indexes are asked, what is left out of a package.

An option's name is written in full. Values follow a space or `=`.
"""
_GENERAL = """
## Options of all commands

`azpack --version` shows the version.
"""
_SETTINGS_HEAD = """
## Settings

Each stands under its key in `[tool.azpack]` of pyproject.toml or in `azpack.toml`, or in the
environment. The command line comes first, then the environment, then the file. In the environment
the items of a list are separated by spaces, those of `AZPACK_DOCKER_BEFORE` by line ends; a flag is
`1` or `0`. In a file the keys that begin with `docker-` may stand in a table of their own, without
that beginning: `[tool.azpack.docker]`, `image = "…"`. The five of checks may stand in
`[tool.azpack.check]`.
"""
_CODES_HEAD = """
## Exit codes

With `--json` the code also stands in the object, as `exit_code`.
"""
_NAMES = re.compile(
    r"(?<![\w.-])(--[a-z][a-z-]*|[\w/.]*\w\.(zip|toml|txt|lock|json)|\.(funcignore|python[-_]\w+))"
)
_KINDS = {
    "text": "a string",
    "flag": "true or false",
    "list": "a list of strings",
    "table": "a table of lists of strings",
}


def commands() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command, by its name."""
    for action in make_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise ValueError("the parser has no commands")


def cli_page() -> str:
    """The page, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD.rstrip("\n")
    known = commands()
    for name, parser in known.items():
        yield from _command(name, parser)
    yield _GENERAL.rstrip("\n")
    yield from _table(("option", "meaning"), _options(_general(known["build"])))
    yield _SETTINGS_HEAD.rstrip("\n")
    yield from _table(("key", "variable", "takes"), map(_setting, SETTINGS.values()))
    yield _CODES_HEAD.rstrip("\n")
    yield from _table(("exit code", "meaning"), _exit_codes())


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    general = _general(parser)
    own = [action for action in parser._actions if action not in general]
    places = [action for action in own if not action.option_strings]
    options = [action for action in own if action.option_strings]
    usage = " ".join(
        ["azpack", name, *(["[OPTION ...]"] if options else []), *map(_placed, places)]
    )
    yield from ("", f"## azpack {name}", "", parser.description or "")
    yield from ("", "```text", usage, "```")
    if places:
        rows = ((f"`{_placed(action).strip('[]')}`", _prose(action.help)) for action in places)
        yield from _table(("argument", "meaning"), rows)
    if options:
        yield from _table(("option", "meaning"), _options(options))


def _general(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """What every command takes: the group of that name, and `--help`."""
    group = next(it for it in parser._action_groups if it.title == "general options")
    helping = [action for action in parser._actions if "--help" in action.option_strings]
    return [*helping, *group._group_actions]


def _placed(action: argparse.Action) -> str:
    choices = ",".join(map(str, action.choices or ()))
    name = str(action.metavar or f"{{{choices}}}")
    return {"*": f"[{name} ...]", "?": f"[{name}]"}.get(str(action.nargs), name)


def _options(actions: Iterable[argparse.Action]) -> Iterator[tuple[str, str]]:
    for action in actions:
        value = "" if action.nargs == 0 else f" {_placed(action)}"
        yield f"`{', '.join(action.option_strings)}{value}`", _prose(action.help)


def _setting(setting: Setting) -> tuple[str, str, str]:
    takes = ", ".join(f"`{choice}`" for choice in setting.choices) or _KINDS[setting.kind]
    variable = f"AZPACK_{setting.name.upper().replace('-', '_')}"
    return f"`{setting.name}`", f"`{variable}`" if setting.kind != "table" else "", takes


def _exit_codes() -> Iterator[tuple[str, str]]:
    yield "0", "Done."
    for kind in sorted(errors.AzpackError.__subclasses__(), key=lambda kind: kind.exit_code):
        if kind.__module__ == errors.__name__:
            yield str(kind.exit_code), _MEANINGS[kind]
    yield "70", "A fault of azpack itself."
    yield "130", "Interrupted."


_MEANINGS: dict[type[errors.AzpackError], str] = {
    errors.FindingsError: "Errors were found, and nothing was built; of `check` and `inspect`, "
    "findings at or over `--fail-on`; of `diff --exit-code`, a difference; of `verify`, any "
    "verdict but passed.",
    errors.UsageError: "A wrong option or configuration, or no such project.",
    errors.ResolutionError: "The requirements can't be resolved, or the lock does not fit them.",
    errors.WheelError: "A wheel can't be had, checked or built.",
    errors.UnreachableError: "An index or an engine for containers does not answer, or refuses.",
    errors.FileError: "Reading or writing files failed.",
}


def _prose(text: str | None) -> str:
    """A help text for a cell: options and file names as code."""
    return _NAMES.sub(r"`\g<0>`", text or "").replace("|", r"\|").replace("<", "&lt;")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield ""
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
