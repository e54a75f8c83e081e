"""`azpack inspect` of packages by other programs, as a user runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.commands import Azpack
from tests.packages import APP, distribution, raw_zip, write_package

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAKERS = {
    "zip": ["zip", "-qr"], "zip -fd": ["zip", "-qr", "-fd"], "zip -0": ["zip", "-qr0"],
    "jar": ["jar", "-cfM"], "7z": ["7z", "a", "-tzip"],
    "python": [sys.executable, "-m", "zipfile", "-c"],
}  # fmt: skip


def azpack(*arguments: object) -> tuple[int, str]:
    command = [sys.executable, "-m", "azpack", "inspect", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def inspected(path: Path) -> dict[str, Any]:
    _, text = azpack(path, "--json", "--python", "3.11")
    envelope: dict[str, Any] = json.loads(text)
    return envelope


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    with zipfile.ZipFile(write_package(tmp_path / "s.zip", APP, distribution("one"))) as archive:
        archive.extractall(folder)
    (folder / "données.txt").write_text("é")
    return folder


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("whole_folder", [False, True])
def test_packages_by_other_programs(
    maker: str,
    whole_folder: bool,
    source: Path,
    tmp_path: Path,
    need: Callable[[str, str], NoReturn],
) -> None:
    command = MAKERS[maker]
    if shutil.which(command[0]) is None:
        need("zip", f"there is no {command[0]} here")
    made = tmp_path / "made.zip"
    what = ["app"] if whole_folder else sorted(path.name for path in source.iterdir())
    where = source.parent if whole_folder else source
    subprocess.run([*command, made, *what], cwd=where, check=True, capture_output=True)
    envelope = inspected(made)
    codes = [finding["code"] for finding in envelope["data"]["findings"]]
    assert codes == (["AZP501"] if whole_folder else [])
    assert [entry["name"] for entry in envelope["data"]["functions"]] == ["hello"]
    assert [entry["name"] for entry in envelope["data"]["distributions"]] == ["one"]


def test_links_of_the_program_zip(
    source: Path, tmp_path: Path, need: Callable[[str, str], NoReturn]
) -> None:
    if shutil.which("zip") is None:
        need("zip", "there is no zip here")
    (source / "link.txt").symlink_to("host.json")
    subprocess.run(["zip", "-qry", tmp_path / "made.zip", "."], cwd=source, check=True)
    assert [
        finding["code"] for finding in inspected(tmp_path / "made.zip")["data"]["findings"]
    ] == ["AZP506"]


def test_exit_codes(tmp_path: Path) -> None:
    path = tmp_path / "app.zip"
    path.write_bytes(raw_zip([(b"a", b"1")]))
    assert azpack(path)[0] == 1
    assert azpack(path, "--fail-on", "never")[0] == 0
    assert azpack(path, "--ignore", "AZP1")[0] == 0
    path.write_bytes(path.read_bytes()[:-9])
    assert azpack(path)[0] == 6
    assert azpack(tmp_path / "none.zip")[0] == 6
    assert azpack(path, "--python", "2.7")[0] in (2, 6)
    assert azpack()[0] == 2


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github", "azure"])
def test_forms(form: str, tmp_path: Path) -> None:
    path = tmp_path / "app.zip"
    path.write_bytes(raw_zip([(b"a", b"1")]))
    code, text = azpack(path, "--format", form)
    assert code == 1
    assert "AZP101" in text


def test_the_environment_counts_outside_of_a_project(tmp_path: Path) -> None:
    package = tmp_path / "app.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("host.json", '{"version": "2.0"}')
    for ignored, code in (("", 1), ("AZP104", 0), ("AZPX", 2)):
        azpack = Azpack(tmp_path, AZPACK_IGNORE=ignored)
        assert azpack.run("inspect", package, cwd=tmp_path).code == code
    assert Azpack(tmp_path, AZPACK_FORMAT="yaml").run("inspect", package, cwd=tmp_path).code == 2
