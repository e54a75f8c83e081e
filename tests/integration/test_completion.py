"""`azpack completion`: the scripts in the shells that they are for."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from azpack.app.config import SETTINGS
from tests.commands import Azpack
from tools.cli_page import commands

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMMANDS = set(commands())
MODES = set(SETTINGS["mode"].choices)

# Asks for what stands after the words, as readline does.
BASH = """\
source "$1"
shift
function=$(complete -p azpack | sed 's/.*-F \\([^ ]*\\).*/\\1/')
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
"$function" azpack "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
# A terminal of its own, in which the tab key is pressed twice.
ZSH = """\
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1='>'; autoload -U compinit; compinit -u -D; eval \\"\\$(< $1)\\"; echo REA''DY"
zpty -r -m z shown '*READY*' || exit 1
zpty -w -n z "$2"$'\\t\\t'
zpty -r -m z shown "*$3*" || exit 1
print -r -- $shown
zpty -d z
"""


@pytest.fixture
def shell(need: Callable[[str, str], NoReturn]) -> Callable[[str], str]:
    return lambda name: shutil.which(name) or need("shells", f"there is no {name} here")


def script(folder: Path, name: str) -> Path:
    done = Azpack(folder).run("completion", name)
    assert (done.code, done.stderr) == (0, "")
    path = folder / f"azpack.{name}"
    path.write_bytes(done.stdout)
    return path


def run(folder: Path, *command: str | Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**Azpack(folder).environment, "HOME": str(folder)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["azpack", ""], COMMANDS),
        (["azpack", "ch"], {"check"}),
        (["azpack", "build", "--mode", ""], MODES),
        (["azpack", "build", "--sb"], {"--sbom"}),
        (["azpack", "check", "--fail-on", "w"], {"warning"}),
        (["azpack", "cache", "p"], {"prune"}),
        (["azpack", "build", "ap"], {"app"}),
        (["azpack", "inspect", "pack"], {"package.zip"}),
        (["azpack", "build", "--sbom", "pack"], {"package.zip"}),
        (["azpack", "build", "--cache-dir", ""], {"app"}),
    ],
)
def test_bash(tmp_path: Path, words: list[str], completed: set[str]) -> None:
    path = script(tmp_path, "bash")
    folder = tmp_path / "work"
    folder.joinpath("app").mkdir(parents=True)
    folder.joinpath("package.zip").touch()
    command = ["bash", "--noprofile", "--norc", "-c", BASH, "bash", str(path), *words]
    assert set(run(folder, *command).split()) == completed


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("azpack ch", {"check"}),
        ("azpack build --mode ", MODES),
        ("azpack build --sb", {"--sbom"}),
        ("azpack cache p", {"prune"}),
    ],
)
def test_fish(tmp_path: Path, shell: Callable[[str], str], line: str, completed: set[str]) -> None:
    path = script(tmp_path, "fish")
    text = run(tmp_path, shell("fish"), "-N", "-c", f"source {path}; complete -C '{line}'")
    assert {row.split("\t")[0] for row in text.splitlines()} == completed


@pytest.mark.parametrize(
    ("line", "shown"), [("azpack build --mode ", "remote"), ("azpack c", "completion")]
)
def test_zsh(tmp_path: Path, shell: Callable[[str], str], line: str, shown: str) -> None:
    path = script(tmp_path, "zsh")
    text = run(tmp_path, shell("zsh"), "-f", "-c", ZSH, "zsh", str(path), line, shown)
    assert shown in text


def test_json(tmp_path: Path) -> None:
    azpack = Azpack(tmp_path)
    data: dict[str, Any] = azpack.run("completion", "bash", "--json").data()
    assert data["shell"] == "bash"
    assert data["script"].strip() == azpack.run("completion", "bash").stdout.decode().strip()
