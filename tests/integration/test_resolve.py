"""Resolving with real uv: from PyPI, from folders, from Git, from the locks of other tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from azpack.deps.interpreters import find_interpreter
from azpack.deps.uv import find_uv
from tests.commands import Azpack, make_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IDNA = (
    "https://files.pythonhosted.org/packages/76/c6/"
    "c88e154df9c4e1a2a66ccf0005a88dfb2650c1dffb6f5ce603dfbd452ce3/idna-3.10-py3-none-any.whl"
)
SHA_OF_IDNA = "946d195a0d259cbba61165e88e65941f16e9b36ea6ddb97f00452bae8b1287d3"
PYPI = "https://pypi.org/simple"
OWN = "{}.{}".format(*sys.version_info)
# Of its backend nothing need be installed, and its metadata need no build.
LIBRARY = """
[project]
name = "our-library"
version = "1.2"
dependencies = ["idna==3.10"]
[project.optional-dependencies]
more = ["colorama==0.4.6"]
[build-system]
requires = []
build-backend = "none"
"""


@pytest.fixture(scope="module")
def azpack(tmp_path_factory: pytest.TempPathFactory) -> Azpack:
    return Azpack(tmp_path_factory.mktemp("resolve"), UV_HTTP_RETRIES="3")


def planned(azpack: Azpack, app: Path, *options: str, python: str = "3.11") -> dict[str, Any]:
    """The distributions of a dry run, by name; nothing is written."""
    before = sorted(app.rglob("*"))
    done = azpack.run("build", app, "--python", python, "--dry-run", "--json", *options)
    assert sorted(app.rglob("*")) == before
    return {entry["name"]: entry for entry in done.data()["distributions"]}


def versions(planned: dict[str, Any]) -> dict[str, str]:
    return {name: entry["version"] for name, entry in planned.items()}


def refused(azpack: Azpack, app: Path, exit_code: int, code: str, *options: str) -> Any:
    done = azpack.run("build", app, "--python", "3.11", "--dry-run", "--json", *options)
    return done.error(exit_code, code)


def run_uv(azpack: Azpack, folder: Path, *arguments: str) -> None:
    environment = {**azpack.environment, "UV_PYTHON_DOWNLOADS": "never"}
    subprocess.run(
        [find_uv(), *arguments, "--quiet", "--python", sys.executable],
        cwd=folder, env=environment, check=True,
    )  # fmt: skip


MARKERS = """
idna==3.10
iniconfig==2.0.0; python_version < "3.12"
zipp==3.20.0; python_full_version >= "3.13.1"
colorama==0.4.6; sys_platform == "win32" or platform_machine == "aarch64"
six==1.16.0; platform_system == "Linux" and implementation_name == "cpython"
"""


@pytest.mark.parametrize(
    ("python", "names"),
    [
        ("3.11", {"idna", "iniconfig", "six"}),
        ("3.12", {"idna", "six"}),
        ("3.13", {"idna", "six", "zipp"}),
    ],
)
def test_markers_are_those_of_the_target(
    azpack: Azpack, tmp_path: Path, python: str, names: set[str]
) -> None:
    app = make_app(tmp_path / "app", MARKERS)
    assert planned(azpack, app, python=python).keys() == names


def test_wheels_are_those_for_the_targets_glibc(azpack: Azpack, tmp_path: Path) -> None:
    # It has wheels for glibc 2.17, 2.28 and 2.34, in the stable ABI.
    app = make_app(tmp_path / "app", "bcrypt==4.3.0\n")
    chosen = {
        python: planned(azpack, app, python=python)["bcrypt"]["filename"]
        for python in ("3.11", "3.12", "3.13")
    }
    assert "-cp39-abi3-manylinux_2_28_x86_64" in chosen["3.11"]
    assert "-cp39-abi3-manylinux_2_34_x86_64" in chosen["3.12"]
    assert "-cp39-abi3-manylinux_2_34_x86_64" in chosen["3.13"]


def test_constraints_and_included_files(azpack: Azpack, tmp_path: Path) -> None:
    files = {"deps/base.txt": "-c limits.txt\nidna\n", "deps/limits.txt": "idna<3.8\nzipp<3\n"}
    app = make_app(tmp_path / "app", "-r deps/base.txt\n", files=files)
    assert versions(planned(azpack, app)) == {"idna": "3.7"}


@pytest.mark.parametrize(
    "line", ["./lib", "-e ./lib", "our-library @ file:///{root}/lib", "./lib[more]"]
)
def test_a_folder(azpack: Azpack, tmp_path: Path, line: str) -> None:
    app = make_app(tmp_path / "app", None, files={"lib/pyproject.toml": LIBRARY})
    root = str(app).lstrip("/")
    (app / "requirements.txt").write_text(line.replace("{root}", root))
    found = planned(azpack, app)
    assert found["idna"]["version"] == "3.10"
    assert ("colorama" in found) is ("more" in line)
    entry = found["our-library"]
    assert (entry["kind"], entry["index"], entry["filename"]) == ("directory", None, f"{app}/lib")


def test_a_folder_that_is_not_there(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "./lib\n")
    error = refused(azpack, app, 3, "no-solution")
    assert f"{app}/lib" in error["message"]
    assert "path" in error["hint"]


@pytest.mark.parametrize(
    "line", [IDNA, f"idna @ {IDNA}", f"idna @ {IDNA}#sha256={SHA_OF_IDNA}",
             f"{IDNA} --hash=sha256:{SHA_OF_IDNA}"],
)  # fmt: skip
def test_a_wheel_at_a_url(azpack: Azpack, tmp_path: Path, line: str) -> None:
    entry = planned(azpack, make_app(tmp_path / "app", line))["idna"]
    # No index lists it.
    assert (entry["kind"], entry["index"], entry["version"]) == ("archive", None, "3.10")
    assert entry["filename"] == "idna-3.10-py3-none-any.whl"


@pytest.mark.parametrize("line", ["idna==3.10", f"idna @ {IDNA}", IDNA])
def test_a_hash_that_is_wrong(azpack: Azpack, tmp_path: Path, line: str) -> None:
    app = make_app(tmp_path / "app", f"{line} --hash=sha256:{'ab' * 32}\n")
    done = azpack.run("build", app, "--python", "3.11", "--json")
    message = done.error(4, "no-usable-wheel")["message"]
    assert "idna 3.10: the hashes that the requirements allow are of other files" in message
    assert azpack.run("lock", app, "--python", "3.11", "--json").error(3, "no-usable-file")
    assert not (app / "pylock.toml").exists()
    assert not (app / "dist").exists()


@pytest.mark.parametrize("line", [f"idna @ {IDNA}", IDNA])
def test_a_hash_in_a_url_that_is_wrong(azpack: Azpack, tmp_path: Path, line: str) -> None:
    app = make_app(tmp_path / "app", f"{line}#sha256={'ab' * 32}\n")
    # uv says what the URL says, or the file's own where it has seen it before.
    done = azpack.run("build", app, "--python", "3.11", "--json")
    assert done.code == 4
    (error,) = json.loads(done.stdout)["errors"]
    assert error["code"] in ("wrong-hash", "no-usable-wheel")
    assert not (app / "dist").exists()


def test_a_url_with_nothing_behind_it(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", f"idna @ {IDNA.replace('76/c6', '00/00')}\n")
    error = refused(azpack, app, 3, "no-solution")
    assert "404" in error["message"]


def test_a_commit(azpack: Azpack, tmp_path: Path, need: Callable[[str, str], NoReturn]) -> None:
    if shutil.which("git") is None:
        need("git", "this machine has no git")

    def git(folder: Path, *arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    (work / "sub/pyproject.toml").write_text(LIBRARY)
    git(work, "init", "-q")
    git(work, "add", ".")
    git(work, "commit", "-qm", "one")
    git(tmp_path, "clone", "-q", "--bare", "work", "bare.git")
    commit = git(work, "rev-parse", "HEAD")

    url = (tmp_path / "bare.git").as_uri()
    line = f"our-library @ git+{url}@main#subdirectory=sub"
    app = make_app(tmp_path / "app", f"{line}\n")
    entry = planned(azpack, app)["our-library"]
    assert (entry["kind"], entry["index"], entry["filename"]) == ("vcs", None, url)
    assert entry["reason"] == f"commit {commit[:12]}"
    assert azpack.run("lock", app, "--python", "3.11", "--requirements-txt", app / "pins").code == 0
    lock = (app / "pylock.toml").read_text()
    assert f'commit-id = "{commit}"' in lock
    assert 'subdirectory = "sub"' in lock
    assert f"our-library @ git+{url}@{commit}#subdirectory=sub\n" in (app / "pins").read_text()


def test_a_conflict_names_the_lines(azpack: Azpack, tmp_path: Path) -> None:
    files = {"more.txt": "\nwerkzeug<2\n"}
    app = make_app(tmp_path / "app", "idna\nflask==3.0.0\n-r more.txt\n", files=files)
    message = refused(azpack, app, 3, "no-solution")["message"]
    first = message.splitlines()[0]
    assert "requirements.txt:2 (flask==3.0.0)" in first
    assert "more.txt:2 (werkzeug<2)" in first
    assert "idna" not in first
    assert "Python 3.11 on manylinux_2_31_x86_64" in first


def test_a_name_that_nobody_has(azpack: Azpack, tmp_path: Path) -> None:
    name = "azpack-tests-name-that-nobody-has"
    error = refused(azpack, make_app(tmp_path / "app", f"idna\n{name}\n"), 3, "no-solution")
    assert error["message"].startswith(f"requirements.txt:2 ({name})")
    assert "spelling" in error["hint"]


def test_a_version_that_is_not_there(azpack: Azpack, tmp_path: Path) -> None:
    error = refused(azpack, make_app(tmp_path / "app", "idna==999\n"), 3, "no-solution")
    assert error["message"].startswith("requirements.txt:1 (idna==999)")


def test_a_line_that_nobody_understands(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", "idna\n\nzipp=>3\n")
    error = refused(azpack, app, 2, "bad-requirement")
    assert error["message"].startswith("requirements.txt:3: ")


def test_a_distribution_for_windows_alone(azpack: Azpack, tmp_path: Path) -> None:
    error = refused(azpack, make_app(tmp_path / "app", "pywin32==306\n"), 4, "no-usable-wheel")
    assert "sys_platform == 'win32'" in error["hint"]


PROJECT = """
[project]
name = "app"
version = "1"
requires-python = ">=3.10"
dependencies = ["our-library", "idna", "zipp>=9"]
[project.optional-dependencies]
x = ["six==1.16.0"]
[dependency-groups]
dev = ["iniconfig==2.0.0"]
docs = ["colorama==0.4.5"]
app = [{include-group = "dev"}]
[tool.uv]
constraint-dependencies = ["idna<3.11", "six<9"]
override-dependencies = ["zipp==3.20.0"]
default-groups = ["dev", "docs"]
[tool.uv.sources]
our-library = { path = "lib" }
"""


def project(folder: Path, settings: str = "") -> Path:
    return make_app(
        folder,
        None,
        files={
            "pyproject.toml": PROJECT,
            "lib/pyproject.toml": LIBRARY,
            "azpack.toml": settings,
        },
    )


BASE = {"our-library": "", "idna": "3.10", "zipp": "3.20.0"}


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ("", {}),
        ("groups = ['dev']", {"iniconfig": "2.0.0"}),
        ("groups = ['app']\nextras = ['X']", {"iniconfig": "2.0.0", "six": "1.16.0"}),
    ],
)
@pytest.mark.parametrize("locked_by_uv", [False, True])
def test_pyproject_and_uv_lock_say_the_same(
    azpack: Azpack, tmp_path: Path, settings: str, more: dict[str, str], locked_by_uv: bool
) -> None:
    app = project(tmp_path / "app", settings)
    if locked_by_uv:
        run_uv(azpack, app, "lock")
    found = planned(azpack, app, python="3.13")
    found["our-library"]["version"] = ""  # which uv gives where it has it
    # Groups that uv installs by itself are for developers.
    assert versions(found) == BASE | more
    assert found["our-library"]["filename"] == f"{app}/lib"


def test_locked_with_a_uv_lock(azpack: Azpack, tmp_path: Path) -> None:
    app = project(tmp_path / "app")
    run_uv(azpack, app, "lock")
    fits = planned(azpack, app, "--locked", python=OWN)
    assert fits.keys() == BASE.keys()
    text = (app / "pyproject.toml").read_text()
    (app / "pyproject.toml").write_text(text.replace("idna<3.11", "idna<3.10"))
    error = azpack.run(
        "build", app, "--python", OWN, "--dry-run", "--json", "--locked"
    ).error(3, "lock-does-not-fit")  # fmt: skip
    assert "uv.lock" in error["message"]


def test_a_uv_lock_for_another_python_than_runs_azpack(
    azpack: Azpack, tmp_path: Path, need: Callable[[str, str], NoReturn]
) -> None:
    python = next(version for version in ("3.13", "3.12", "3.11") if version != OWN)
    interpreter = find_interpreter(python, os.environ)
    if interpreter is None:
        need("pythons", f"this machine has no Python {python}")
    app = project(tmp_path / "app")
    text = (app / "pyproject.toml").read_text()
    (app / "pyproject.toml").write_text(text.replace('">=3.10"', f'"=={python}.*"'))
    environment = {**azpack.environment, "UV_PYTHON_DOWNLOADS": "never"}
    subprocess.run(
        [find_uv(), "lock", "--quiet", "--python", interpreter],
        cwd=app,
        env=environment,
        check=True,
    )
    for options in ((), ("--locked",)):
        assert planned(azpack, app, *options, python=python).keys() == BASE.keys()


def test_a_pyproject_elsewhere(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(
        tmp_path / "app",
        None,
        files={
            "src/pyproject.toml": PROJECT.replace('"our-library", ', ""),
            "azpack.toml": "requirements = ['src/pyproject.toml']\ngroups = ['dev']\n",
        },
    )
    expected = {"idna": "3.10", "iniconfig": "2.0.0", "zipp": "3.20.0"}
    assert versions(planned(azpack, app)) == expected


LOCKED_ELSEWHERE = """
idna==3.10
bcrypt==4.3.0
iniconfig==2.0.0; python_version < "3.12"
colorama==0.4.6; sys_platform == "win32"
"""


def test_a_lock_that_uv_compiled_for_every_platform(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", None)
    (tmp_path / "in.txt").write_text(LOCKED_ELSEWHERE)
    run_uv(
        azpack, app, "pip", "compile", str(tmp_path / "in.txt"), "--universal", "--python-version",
        "3.10", "--format", "pylock.toml", "-o", "pylock.toml",
    )  # fmt: skip
    for python, more in (("3.11", {"iniconfig"}), ("3.13", set())):
        for options in ((), ("--locked",)):
            found = planned(azpack, app, *options, python=python)
            assert found.keys() == {"idna", "bcrypt"} | more
    assert "manylinux_2_34" in found["bcrypt"]["filename"]
    assert found["bcrypt"]["index"] == PYPI


def test_a_lock_that_uv_exported(azpack: Azpack, tmp_path: Path) -> None:
    app = project(tmp_path / "app", "groups = ['dev']")
    run_uv(azpack, app, "lock")
    run_uv(azpack, app, "export", "--format", "pylock.toml", "--no-emit-project", "--all-extras",
           "--no-default-groups", "-o", "pylock.prod.toml")  # fmt: skip
    found = planned(azpack, app, "-r", str(app / "pylock.prod.toml"), python="3.12")
    assert found.keys() == {*BASE, "six"}
    assert found["our-library"]["filename"] == f"{app}/lib"


def test_a_file_in_the_project_is_locked_by_its_path(azpack: Azpack, tmp_path: Path) -> None:
    app = make_app(tmp_path / "app", f"idna @ {IDNA}\n")
    built = azpack.run("build", app, "--python", "3.11", "--json").data()
    sha256 = built["distributions"][0]["sha256"]
    assert sha256 == SHA_OF_IDNA
    (app / "wheels").mkdir()
    stored = next(azpack.cache.rglob("idna-3.10-py3-none-any.whl"))
    shutil.copy(stored, app / "wheels")
    (app / "requirements.txt").write_text("./wheels/idna-3.10-py3-none-any.whl\n")
    assert azpack.run("lock", app, "--python", "3.11").code == 0
    assert 'path = "wheels/idna-3.10-py3-none-any.whl"' in (app / "pylock.toml").read_text()
    # So that the lock holds wherever the project stands.
    moved = app.rename(tmp_path / "moved")
    again = azpack.run("build", moved, "--python", "3.11", "--locked", "--json").data()
    assert again["distributions"][0]["sha256"] == SHA_OF_IDNA
