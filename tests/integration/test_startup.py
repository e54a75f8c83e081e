"""What is not imported: each of these libraries costs as much as the rest of a small build."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import Azpack, make_app
from tests.distributions import make_wheel

IMPORTS = {"PYTHONPROFILEIMPORTTIME": "1"}
HEAVY = {"docker", "requests", "urllib3", "build", "rich", "packaging", "uv", "pathspec"}


def imported(stderr: str) -> set[str]:
    """The modules in what `-X importtime` wrote, and the packages that they are of."""
    names = {
        line.rpartition("|")[2].strip()
        for line in stderr.splitlines()
        if line.startswith("import time:")
    }
    assert "argparse" in names  # it is what it is taken for
    return names | {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["build", "--help"]])
def test_help_and_version_import_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    done = Azpack(tmp_path, **IMPORTS).run(*arguments)
    assert done.code == 0
    assert imported(done.stderr) & (HEAVY | {"tomllib", "tomli", "subprocess", "zipfile"}) == set()


def test_a_build_with_all_at_hand_imports_nothing_heavy(tmp_path: Path) -> None:
    azpack = Azpack(tmp_path)
    wheels = tmp_path / "wheels"
    wheels.mkdir(exist_ok=True)
    make_wheel(wheels, "a")
    app = make_app(tmp_path / "app", f"--no-index --find-links {wheels}\na\n")
    assert azpack.run("lock", app, "--python", "3.11").code == 0
    first = azpack.run("build", app, "--python", "3.11", "--json").data()
    assert [entry["name"] for entry in first["distributions"]] == ["a"]

    done = azpack.run("build", app, "--python", "3.11", "--locked", "--json", environment=IMPORTS)
    assert done.data()["distributions"] == first["distributions"]
    assert imported(done.stderr) & (HEAVY | {"subprocess"}) == set()


def test_listing_files_imports_nothing_heavy(tmp_path: Path) -> None:
    app = make_app(tmp_path / "app")
    done = Azpack(tmp_path, **IMPORTS).run("files", app)
    assert done.stdout.decode().split() == ["host.json", "requirements.txt"]
    assert imported(done.stderr) & (HEAVY | {"subprocess"}) == set()


def test_the_module_is_the_command(tmp_path: Path) -> None:
    azpack = Azpack(tmp_path)
    script = subprocess.run(
        [Path(sys.executable).with_name("azpack"), "--help"],
        env=azpack.environment, capture_output=True, check=False,
    )  # fmt: skip
    module = azpack.run("--help")
    assert (module.code, module.stdout) == (0, script.stdout)
    assert module.stdout.startswith(b"usage: azpack ")
