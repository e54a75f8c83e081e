"""Packages that deploy without a word, and then do not work: made by the tools that make them.

Each is one of the failures that people report of function apps in Python. The zips are of the
program `zip` or of Python, the dependencies of uv or pip, and all of them real ones.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from azpack.deps.interpreters import undisturbed
from azpack.deps.uv import find_uv
from tests.commands import Azpack
from tests.fixture_apps import copy_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SITE = ".python_packages/lib/site-packages"
LINUX = "x86_64-manylinux_2_28"
# Of the platform's own line of versions, which the worker has too.
GRPC = "grpcio==1.59.5"


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    return Azpack(tmp_path, GITHUB_ACTIONS="", TF_BUILD="")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A sound app, without what it needs."""
    root = copy_app("v2-blueprint", tmp_path / "src")
    (root / "local.settings.json").unlink(missing_ok=True)
    (root / ".funcignore").unlink(missing_ok=True)
    return root


def install(target: Path, *wanted: str, platform: str = LINUX, python: str = "3.11") -> None:
    """What a pipeline does that runs elsewhere than Azure."""
    command = [
        *(find_uv(), "--no-config", "pip", "install", "--quiet", "--only-binary", ":all:"),
        *("--target", str(target), "--python-version", python, "--python-platform", platform),
        *wanted,
    ]
    subprocess.run(command, check=True, env=undisturbed(os.environ))


def found(azpack: Azpack, root: Path, *options: str) -> dict[str, dict[str, object]]:
    """What is found in the zip of a folder, by code; the first one of each."""
    package = shutil.make_archive(str(root), "zip", root)
    done = azpack.run("inspect", package, "--json", "--python", "3.11", "--ignore", "AZP112",
                      *options)  # fmt: skip
    findings: dict[str, dict[str, object]] = {}
    for row in json.loads(done.stdout)["data"]["findings"]:
        findings.setdefault(row["code"], row)
    return findings


@pytest.fixture
def requirements(app: Path) -> list[str]:
    return ["-r", str(app / "requirements.txt")]


def test_sound(azpack: Azpack, app: Path, requirements: list[str]) -> None:
    install(app / SITE, *requirements)
    assert found(azpack, app) == {}


@pytest.mark.parametrize(
    ("platform", "python", "said"),
    [
        ("aarch64-apple-darwin", "3.11", "macOS"),
        ("x86_64-pc-windows-msvc", "3.11", "Windows"),
        ("aarch64-manylinux_2_28", "3.11", "aarch64"),
        (LINUX, "3.12", "CPython 3.12"),
    ],
)
def test_cygrpc_for_something_else(
    platform: str, python: str, said: str, azpack: Azpack, app: Path, requirements: list[str]
) -> None:
    """Cannot import name 'cygrpc' from 'grpc._cython'."""
    install(app / SITE, *requirements)
    install(app / SITE, GRPC, platform=platform, python=python)
    findings = found(azpack, app)
    assert set(findings) == {"AZP503"}
    assert said in str(findings["AZP503"]["message"])
    assert "cygrpc" in str(findings["AZP503"]["path"])


def test_glibc_that_is_too_new(azpack: Azpack, app: Path, requirements: list[str]) -> None:
    """Version `GLIBC_2.33' not found."""
    install(app / SITE, *requirements)
    install(app / SITE, "--no-deps", "cryptography==45.0.7", platform="x86_64-manylinux_2_34")
    install(app / SITE, "cffi==1.17.1")
    findings = found(azpack, app)
    assert set(findings) == {"AZP504"}
    assert "GLIBC_2.3" in str(findings["AZP504"]["message"])


def test_dist_info_dropped(azpack: Azpack, app: Path, requirements: list[str]) -> None:
    install(app / SITE, *requirements)
    for folder in (app / SITE).glob("*.dist-info"):
        shutil.rmtree(folder)
    assert set(found(azpack, app)) == {"AZP508"}


def test_virtual_environment_shipped(azpack: Azpack, app: Path, requirements: list[str]) -> None:
    install(app / SITE, *requirements)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", app / "env"], check=True)
    findings = found(azpack, app)
    # With links to the interpreter, which make_archive follows as func does.
    assert "AZP603" in findings
    assert {row["severity"] for row in findings.values()} == {"warning"}


def test_dependencies_in_a_virtual_environment_alone(azpack: Azpack, app: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", app / ".venv"], check=True)
    (site,) = (app / ".venv/lib").glob("python*/site-packages")
    install(site, "idna==3.10")
    findings = found(azpack, app)
    assert findings["AZP502"]["severity"] == "error"
    assert "AZP603" in findings


def test_dot_folders_dropped(azpack: Azpack, app: Path, requirements: list[str]) -> None:
    """Of actions/upload-artifact, which leaves them out by default."""
    install(app / SITE, *requirements)
    for folder in app.glob(".*"):
        shutil.rmtree(folder)
    findings = found(azpack, app)
    assert "AZP502" in findings
    assert ".python_packages" in str(findings["AZP502"]["hint"])


def test_installed_beside_the_app(azpack: Azpack, app: Path, requirements: list[str]) -> None:
    install(app, *requirements)
    assert "AZP502" in found(azpack, app)


def test_installed_into_the_old_place(azpack: Azpack, app: Path, requirements: list[str]) -> None:
    install(app / ".python_packages/lib/python3.6/site-packages", *requirements)
    findings = found(azpack, app)
    assert findings["AZP502"]["severity"] == "error"


def test_installed_without_what_is_needed(
    azpack: Azpack, app: Path, requirements: list[str]
) -> None:
    install(app / SITE, *requirements)
    install(app / SITE, "--no-deps", "rich==13.9.4")
    assert set(found(azpack, app)) == {"AZP509"}


def test_installed_over_an_older_version(
    azpack: Azpack, app: Path, requirements: list[str]
) -> None:
    install(app / SITE, *requirements)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    for version in ("3.6", "3.10"):
        environment = undisturbed(os.environ)
        wanted = [str(app / SITE), "--upgrade", f"idna=={version}"]
        subprocess.run([*pip, *wanted], check=True, env=environment)
        # Kept, as by those who copy one folder over another.
        for info in (app / SITE).glob("idna-*.dist-info"):
            shutil.copytree(info, app.parent / info.name, dirs_exist_ok=True)
    for info in app.parent.glob("idna-*.dist-info"):
        shutil.copytree(info, app / SITE / info.name, dirs_exist_ok=True)
    assert "AZP510" in found(azpack, app)


@pytest.mark.parametrize("maker", ["zip", "git archive"])
def test_the_folder_instead_of_what_is_in_it(
    maker: str, azpack: Azpack, app: Path, need: Callable[[str, str], object]
) -> None:
    package = app.parent / "made.zip"
    if maker == "zip":
        if shutil.which("zip") is None:
            need("zip", "there is no zip here")
        subprocess.run(["zip", "-qr", package, app.name], cwd=app.parent, check=True)
    else:
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
        for arguments in (
            ["init", "-q"], ["add", "."], ["commit", "-qm", "x"],
            ["archive", "--prefix", "app/", "-o", str(package), "HEAD"],
        ):  # fmt: skip
            subprocess.run([*git, *arguments], cwd=app, check=True)
    done = azpack.run("inspect", package, "--json", "--python", "3.11")
    assert done.code == 1
    assert "AZP501" in {row["code"] for row in json.loads(done.stdout)["data"]["findings"]}


@pytest.mark.parametrize(
    ("lost", "code"),
    [
        ("host.json", "AZP101"),
        ("function_app.py", "AZP104"),
    ],
)
def test_no_function_is_listed(
    lost: str, code: str, azpack: Azpack, app: Path, requirements: list[str]
) -> None:
    """The deployment succeeds, and the portal shows no functions."""
    install(app / SITE, *requirements)
    (app / lost).unlink()
    assert found(azpack, app)[code]["severity"] == "error"


def test_caches_and_secrets(azpack: Azpack, app: Path, requirements: list[str]) -> None:
    """What Core Tools ships where .funcignore speaks of sub-folders."""
    install(app / SITE, *requirements)
    subprocess.run([sys.executable, "-m", "compileall", "-q", app / "function_app.py"], check=True)
    subprocess.run(["git", "init", "-q"], cwd=app, check=True)
    (app / "local.settings.json").write_text('{"IsEncrypted": false, "Values": {}}')
    findings = found(azpack, app)
    assert {"AZP601", "AZP603"} <= set(findings)
