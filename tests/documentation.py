"""The blocks of code in the documentation: found, run as a reader would, and held to what is shown.

What is run is said in comments on the lines before a block, which no reader of the page sees:

- `<!-- not run: REASON -->`: this block's commands can't run here;
- `<!-- files: FOLDER as NAME -->`: first copy a folder of the repository into the working folder;
- `<!-- first: COMMAND -->`: first run a command that is not shown;
- `<!-- exit code: N -->`: how the block's last command ends, if not with 0.

All blocks of a page share one working folder, in the order of the page. A block with a title is a
file of that name, and is written there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["PAGES", "ROOT", "Block", "Command", "blocks_of", "commands_of", "is_as_shown", "run"]

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_SHELLS = ("bash", "console", "sh")
_LONGEST = 120  # seconds: a guard against hanging, not a measure
_MARK = "\x1e"  # before the output of each command
_FENCE = re.compile(
    r'^(?P<indent> *)```(?P<language>[\w+-]*)(?: title="(?P<title>[^"]+)")?\n'
    r"(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_COMMENT = re.compile(r"^ *<!-- (not run|files|first|exit code): (.+?) -->$")
# What differs from run to run and from day to day: figures with their unit, how many there are of
# what an index decides on, versions of distributions, digests.
_VARYING = (
    (re.compile(r"\d[\d,.]* (?:s|ms)\b"), "0 s"),
    (re.compile(r"\b(interpreter|runtime library|imports|indexing)\s+\d+\.\d+"), r"\1 0"),
    (re.compile(r"\d[\d,.]* (?:B|kB|MB|GB)\b"), "0 B"),
    (re.compile(r"\b\d[\d,]*(?= (?:entries|distributions?|modules)\b)"), "0"),
    (re.compile(r"(?<=^distributions: )\d+", re.MULTILINE), "0"),
    (re.compile(r"\b\d+(?:\.\d+){2,}\b"), "0.0.0"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "0"),
    # Said only where it took its time.
    (re.compile(r"^wrote the zip in .*\n", re.MULTILINE), ""),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of code, the page and line of its beginning, and what the comments before it say."""

    page: Path
    line: int
    language: str
    title: str
    text: str
    comments: tuple[tuple[str, str], ...]

    @property
    def is_run(self) -> bool:
        """Whether it holds commands, and nothing keeps them from being run here."""
        return self.language in _SHELLS and not self.said("not run")

    @property
    def place(self) -> str:
        """Where it is, for a message."""
        return f"{self.page.name}:{self.line}"

    def said(self, what: str) -> list[str]:
        """What the comments before the block say of this kind."""
        return [value for kind, value in self.comments if kind == what]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command of a block, and the output that is shown beneath it, if any is."""

    line: str
    shown: str


def blocks_of(page: Path) -> list[Block]:
    """The blocks of code of a page, in their order."""
    source = page.read_text(encoding="utf-8")
    return [_block(page, source, found) for found in _FENCE.finditer(source)]


def _block(page: Path, source: str, found: re.Match[str]) -> Block:
    before = source[: found.start()]
    indent = len(found["indent"])
    return Block(
        page=page,
        line=before.count("\n") + 1,
        language=found["language"],
        title=found["title"] or "",
        text="".join(line[indent:] or "\n" for line in found["text"].splitlines(keepends=True)),
        comments=tuple(_comments_at_the_end_of(before)),
    )


def _comments_at_the_end_of(text: str) -> list[tuple[str, str]]:
    said: list[tuple[str, str]] = []
    for line in reversed(text.splitlines()):
        if found := _COMMENT.match(line):
            said.insert(0, (found[1], found[2]))
        elif line.strip():
            break
    return said


def commands_of(block: Block) -> list[Command]:
    """The commands of a block: of a console those after `$`, else the whole as one."""
    if block.language != "console":
        return [Command(line=block.text, shown="")]
    commands: list[Command] = []
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        found = re.match(r"(?:.*\\\n)*.*\n", part)
        assert found, block.place
        commands.append(Command(line=found[0], shown=part[found.end() :]))
    return commands


def is_as_shown(shown: str, output: str) -> bool:
    """Whether the output is what is shown, but for what varies.

    A line of three dots stands for any lines, three dots in a line for anything in it.
    """
    pattern = re.escape(_evened(shown).strip("\n"))
    pattern = re.sub(r"(?m)^\\\.\\\.\\\.(\\\n|$)", r"(?s:.*)", pattern)
    pattern = pattern.replace(r"\.\.\.", ".*")
    return re.fullmatch(pattern, _evened(output).strip("\n")) is not None


def _evened(text: str) -> str:
    for varying, stand_in in _VARYING:
        text = varying.sub(stand_in, text)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def run(page: Path, folder: Path, environment: Mapping[str, str]) -> Iterator[tuple[Block, str]]:
    """Run a page's blocks in `folder`; yield each with what is wrong with it, or nothing."""
    here = folder
    for block in blocks_of(page):
        for copied in block.said("files"):
            source, _, name = copied.partition(" as ")
            shutil.copytree(ROOT / source, here / (name or Path(source).name), symlinks=True)
        if block.title:
            file = here / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        elif block.is_run:
            here, wrong = _run_block(block, here, environment)
            yield block, wrong


def _run_block(block: Block, here: Path, environment: Mapping[str, str]) -> tuple[Path, str]:
    """Run a block's commands in one shell; return the folder it ends in, and what is wrong."""
    commands = commands_of(block)
    first = [f"{{ {command}; }} >/dev/null 2>&1" for command in block.said("first")]
    lines = [f"printf '{_MARK}'\n{command.line}" for command in commands]
    script = "\n".join(["set -e", *first, *lines]).replace("/path/to/azpack", str(ROOT))
    done = subprocess.run(
        ["bash", "-c", f"trap 'printf \"{_MARK}$PWD\"' EXIT\n{script}"],
        cwd=here,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LONGEST,
        check=False,
    )
    _, *outputs, end = done.stdout.split(_MARK)
    wanted = int("".join(block.said("exit code")) or 0)
    if done.returncode != wanted or len(outputs) != len(commands):
        return here, f"exit code {done.returncode}, not {wanted}:\n{done.stdout}"
    for command, output in zip(commands, outputs, strict=True):
        if command.shown and not is_as_shown(command.shown, output):
            return Path(end), f"$ {command.line}\nshown:\n{command.shown}\nprinted:\n{output}"
    return Path(end), ""
