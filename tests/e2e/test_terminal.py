"""What a user sees on a terminal of 80 columns: nothing wider, and no more than is read."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.commands import Azpack
from tests.fixture_apps import copy_app

if TYPE_CHECKING:
    from pathlib import Path

COLORS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def azpack(tmp_path: Path, shared_cache: Path) -> Azpack:
    return Azpack(
        tmp_path, AZPACK_CACHE_DIR=str(shared_cache), AZPACK_PYTHON="3.12", AZPACK_IGNORE=""
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the app `v2-blueprint`, and one that is broken in many ways."""
    copy_app("v2-blueprint", tmp_path)
    broken = copy_app("v2-blueprint", tmp_path / "more")
    broken.rename(tmp_path / "broken")
    broken = tmp_path / "broken"
    (broken / "function_app.py").write_text("import nothing_like_it\n" * 3)
    (broken / "host.json").write_text('{"version": "1.0", "extensionBundel": {}}')
    (broken / "requirements.txt").write_text("six===0\nazure-functions-worker\n")
    (broken / "local.settings.json").write_text("{}")
    return tmp_path


def wide_lines(text: str) -> list[str]:
    """The lines over 80 columns, but for names, and for commands of programs that -v logs."""
    wide = [line for line in text.splitlines() if len(line) > 80 and len(line.split()) > 1]
    return [line for line in wide if not line.startswith("uv ")]


def test_the_result_of_a_build_fits_ten_lines(azpack: Azpack, folder: Path) -> None:
    for options in ((), ("--plan", "consumption"), ("--plan", "premium"), ("--plan", "dedicated")):
        done = azpack.run("build", "v2-blueprint", *options, cwd=folder)
        lines = done.stdout.decode().splitlines()
        assert len(lines) <= 10
        assert re.fullmatch(r"built v2-blueprint/dist/v2-blueprint\.zip in \d+\.\d\d s", lines[0])
        labels = [line.split()[0] for line in lines[1:] if line[2] != " "]
        assert labels[:3] == ["size", "contents", "target"]
        assert labels[-1] == "publish"
        assert wide_lines("\n".join(lines)) == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("build v2-blueprint -v --checksum --sbom x.cdx.json", 0),
        ("build v2-blueprint --dry-run", 0),
        ("build v2-blueprint --mode remote", 0),
        ("build v2-blueprint v2-blueprint/../v2-blueprint broken", 1),
        ("build broken", 1),
        ("build broken --no-check --mode local", 3),
        ("build v2-blueprint --locked", 3),
        ("build nowhere", 2),
        ("build v2-blueprint --plan free", 2),
        ("build v2-blueprint --extra-index-url https://127.0.0.1:9/simple", 5),
        ("lock v2-blueprint", 0),
        ("check v2-blueprint", 0),
        ("check broken", 1),
        ("check --explain AZP403", 0),
        ("inspect app.zip", 0),
        ("inspect damaged.zip", 6),
        ("diff app.zip other.zip", 0),
        ("verify app.zip", 0),
        ("files v2-blueprint --explain", 0),
        ("runtimes", 0),
        ("cache info", 0),
        ("matrix", 0),
        ("nothing", 2),
        *((f"{command} --help", 0) for command in ("build", "lock", "check", "verify", "matrix")),
    ],
)
def test_nothing_is_wider_than_80_columns(
    azpack: Azpack, folder: Path, arguments: str, code: int
) -> None:
    azpack.environment["HOME"] = str(folder)
    if "zip" in arguments:
        assert azpack.run("build", "v2-blueprint", "-o", "app.zip", cwd=folder).code == 0
        with zipfile.ZipFile(folder / "app.zip") as package:
            content = {name: package.read(name) for name in package.namelist()}
        with zipfile.ZipFile(folder / "other.zip", "w") as package:
            for name, data in {**content, "x.py": b"", "function_app.py": b"1"}.items():
                package.writestr(name, data)
        (folder / "damaged.zip").write_bytes((folder / "app.zip").read_bytes()[:-99])
    done = azpack.run(*arguments.split(), cwd=folder)
    text = done.stderr + done.stdout.decode()
    assert done.code == code, text
    assert wide_lines(text.replace(str(folder), "/work")) == []
    assert "\x1b" not in text


@pytest.mark.parametrize(("variable", "colored"), [("", True), ("NO_COLOR", False)])
def test_colors_on_a_terminal_alone(
    azpack: Azpack, folder: Path, variable: str, colored: bool
) -> None:
    """They are of those that the terminal's own scheme makes readable, and of no background."""
    ours, theirs = pty.openpty()
    environment = {**azpack.environment, "TERM": "xterm", **({variable: "1"} if variable else {})}
    environment.pop("NO_COLOR" if not variable else "", None)
    with subprocess.Popen(
        [sys.executable, "-m", "azpack", "check", "broken"],
        cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        text = ""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            text += piece.decode()
            if not piece:
                break
    os.close(ours)
    assert process.returncode == 1
    assert bool(COLORS.search(text)) is colored
    codes = {code for found in COLORS.findall(text) for code in found[2:-1].split(";")}
    assert codes <= {"0", "1", "2", "31", "32", "33", "36"}
    assert wide_lines(COLORS.sub("", text).replace("\r", "")) == []
