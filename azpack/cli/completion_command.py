"""`azpack completion`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from azpack.cli.console import Outcome
from azpack.cli.parser import make_parser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azpack.cli.main import Invocation


def run(invocation: Invocation) -> Outcome:
    """Print the script by which a shell completes azpack's commands and options."""
    import shtab

    shell = invocation.arguments.shell
    places = {
        **dict.fromkeys(("FILE", "PATH", "ZIP"), shtab.FILE),
        **dict.fromkeys(("FOLDER", "PROJECT"), shtab.DIRECTORY),
    }
    parser = make_parser()
    for action in _actions(parser):
        if action.metavar in places:
            # By this attribute shtab is told what stands there.
            action.complete = places[action.metavar]  # type: ignore[attr-defined]
    script = shtab.complete(parser, shell)
    return Outcome(data={"shell": shell, "script": script}, lines=script.splitlines())


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
