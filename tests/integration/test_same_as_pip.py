"""The dependencies in a package are, file for file, what pip installs from the same wheels."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from configparser import RawConfigParser
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.wheels import sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MEDIUM = (
    "azure-functions",
    "requests",
    "azure-identity",
    "azure-storage-blob",
    "azure-cosmos",
    "pydantic",
    "sqlalchemy",
    "psycopg2-binary",
    "opentelemetry-sdk",
)
LARGE = (*MEDIUM, "numpy", "pandas", "scipy", "scikit-learn", "pyarrow", "matplotlib")
SITE_PACKAGES = ".python_packages/lib/site-packages/"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
# What an installer writes of its own.
OWN = ("/RECORD", "/INSTALLER", "/REQUESTED", "/direct_url.json")


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Only the index, without what a machine's own settings add."""
    dropped = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_TARGET", "SOURCE_DATE_EPOCH")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "PIP_CONFIG_FILE": os.devnull}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def pip(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """pip in a virtual environment: where a header goes depends on it."""
    folder = tmp_path_factory.mktemp("venv")
    run([sys.executable, "-m", "venv", str(folder)])
    return [str(folder / "bin" / "python"), "-m", "pip"]


def run(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def build(folder: Path, names: tuple[str, ...], cache: Path, environment: dict[str, str]) -> Any:
    app = folder / "app"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    (app / "requirements.txt").write_text("\n".join(names))
    command = [
        *(
            sys.executable,
            "-m",
            "azpack",
            "build",
            str(app),
            "--mode",
            "local",
            "--json",
            "--no-check",
        ),
        *("--python", PYTHON, "--cache-dir", str(cache), "-o", str(folder / "out.zip")),
    ]
    return json.loads(run(command, environment))["data"]


class File(NamedTuple):
    """A file of an unpacked tree; `text` only of what an installer writes or reads."""

    size: int
    digest: str
    after_first_line: str
    executable: bool
    text: str


def file_of(path: str, content: bytes, *, executable: bool) -> File:
    is_read = path.endswith((".dist-info/RECORD", ".dist-info/entry_points.txt"))
    return File(
        size=len(content),
        digest=sha256_of(content),
        after_first_line=sha256_of(content.partition(b"\n")[2]),
        executable=executable,
        text=content.decode() if is_read else "",
    )


def in_zip(path: Path) -> dict[str, File]:
    """The dependencies' files."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.startswith(SITE_PACKAGES):
                name = info.filename.removeprefix(SITE_PACKAGES)
                executable = bool(info.external_attr >> 16 & 0o111)
                found[name] = file_of(name, archive.read(info), executable=executable)
    return found


def in_folder(root: Path) -> dict[str, File]:
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            place = os.path.join(folder, name)
            path = os.path.relpath(place, root)
            with open(place, "rb") as file:
                executable = bool(os.fstat(file.fileno()).st_mode & 0o111)
                found[path] = file_of(path, file.read(), executable=executable)
    return found


def entry_points(files: Mapping[str, File]) -> set[str]:
    """The scripts that an installer makes, rather than copies."""
    scripts = set()
    for path, file in files.items():
        if path.endswith(".dist-info/entry_points.txt"):
            parser = RawConfigParser(delimiters=("=",), strict=False)
            parser.optionxform = str  # type: ignore[method-assign,assignment]
            parser.read_string(file.text)
            for section in ("console_scripts", "gui_scripts"):
                if section in parser:
                    scripts |= {f"bin/{name}" for name in parser[section]}
    return scripts


def compared(path: str, file: File, made: set[str]) -> str:
    """What must be equal of a file: its bytes; of a script, all but the first line."""
    if path in made:
        return "made"
    return file.after_first_line if path.startswith("bin/") else file.digest


def left_out(path: str) -> bool:
    return "__pycache__" in path.split("/") or path.endswith(OWN)


def check_records(files: Mapping[str, File]) -> None:
    listed = set()
    for record, file in files.items():
        if not record.endswith(".dist-info/RECORD"):
            continue
        for path, digest, size in csv.reader(io.StringIO(file.text, newline="")):
            if path == record:
                assert (digest, size) == ("", "")
            else:
                assert (digest, size) == (files[path].digest, str(files[path].size)), path
            listed.add(path)
    assert listed == set(files)


@pytest.mark.parametrize("names", [MEDIUM, LARGE], ids=["medium", "large"])
def test_same_as_pip(
    names: tuple[str, ...],
    pip: list[str],
    cache: Path,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    data = build(tmp_path, names, cache, environment)
    assert {row["name"] for row in data["distributions"]} >= set(names)
    assert not [found for found in data["findings"] if found["code"] == "AZP109"]
    # With hashes pip can only take the wheels that the package was made of.
    pins = "".join(
        f"{row['name']}=={row['version']} --hash=sha256:{row['sha256']}\n"
        for row in data["distributions"]
    )
    (tmp_path / "pins.txt").write_text(pins)
    target = tmp_path / "target"
    run(
        [
            *(*pip, "install", "--quiet", "--target", str(target), "--no-deps", "--no-compile"),
            *("--only-binary", ":all:", "-r", str(tmp_path / "pins.txt")),
        ],
        environment,
    )
    ours, theirs = in_zip(tmp_path / "out.zip"), in_folder(target)
    check_records(ours)
    made = entry_points(ours)
    assert made <= set(ours)
    assert {path for path in ours if path.endswith("/INSTALLER")} == {
        path for path in theirs if path.endswith("/INSTALLER")
    }
    ours, theirs = (
        {path: found for path, found in files.items() if not left_out(path)}
        for files in (ours, theirs)
    )
    assert sorted(ours) == sorted(theirs)
    different = {
        path
        for path, file in ours.items()
        if compared(path, file, made) != compared(path, theirs[path], made)
    }
    assert different == set()
    assert {path for path in ours if ours[path].executable} == {
        path for path in theirs if theirs[path].executable
    }
